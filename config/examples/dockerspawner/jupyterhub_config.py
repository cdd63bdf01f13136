c = get_config()  # noqa: F821
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.DockerSpawner.image = "jupyter/base-notebook:latest"
c.DockerSpawner.network_name = "jupyterhub"
c.DockerSpawner.volumes = {"jupyterhub-user-{username}": "/home/jovyan/work"}
