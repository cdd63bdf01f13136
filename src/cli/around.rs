//! The process's surroundings: environment, user id, what is a socket, where files can be made.
//! Knows nothing of what they are looked up for.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::find::{DockerTls, Surroundings};

/// An environment variable that is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What finding needs.
pub fn surroundings() -> Surroundings {
    let docker_tls = match (variable("DOCKER_TLS_VERIFY"), variable("DOCKER_TLS")) {
        (Some(_), _) => DockerTls::Verified,
        (None, Some(_)) => DockerTls::Unverified,
        (None, None) => DockerTls::Off,
    };
    let usual = || variable("HOME").filter(|_| docker_tls == DockerTls::Verified).map(|home| PathBuf::from(home).join(".docker"));
    Surroundings {
        docker_tls,
        docker_cert_path: variable("DOCKER_CERT_PATH").map(PathBuf::from).or_else(usual),
        docker_host: variable("DOCKER_HOST"),
        runtime_dir: variable("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute()),
        uid: fs::metadata("/proc/self").map_or(0, |own| own.uid()),
    }
}

/// True where the path leads to a socket.
pub fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// Makes the folder where it is missing; true where files can be made in it.
pub fn usable_folder(folder: &Path) -> bool {
    let probe = folder.join(format!(".dockgate-{}", std::process::id()));
    let usable = fs::create_dir_all(folder).is_ok() && fs::OpenOptions::new().write(true).create_new(true).open(&probe).is_ok();
    if usable {
        let _nobody_minds = fs::remove_file(&probe);
    }
    usable
}
