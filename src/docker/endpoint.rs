//! Which operation a path names, and with which objects: the table's rows as a router.
//! Knows nothing of queries and bodies.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::fault::{Fault, FaultKind};
use super::head::Head;
use super::operations::TABLE;
use super::reference::ImageName;
use super::target::Segment;
use super::version::ApiVersion;
use super::{Method, Operation};

/// A known operation with the names that its path carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The operation.
    pub operation: Operation,
    /// The values of the path's placeholders, in order.
    pub names: Vec<String>,
}

/// The longest object name that is read; the engine's own ids have 64 characters.
const MAX_NAME: usize = 255;

/// Rows by method and first segment, the ones with more fixed segments first.
static ROUTES: LazyLock<HashMap<(Method, &'static str), Vec<Route>>> = LazyLock::new(|| {
    let mut routes: HashMap<_, Vec<Route>> = HashMap::new();
    for operation in TABLE {
        let row = operation.row();
        let parts: Vec<&'static str> = row.path.split('/').skip(1).collect();
        if let Some(first) = parts.first() {
            routes.entry((row.method, *first)).or_default().push(Route { operation: *operation, parts });
        }
    }
    for list in routes.values_mut() {
        list.sort_by_key(|route| (route.parts.iter().filter(|part| part.starts_with('{')).count(), route.parts.contains(&"{image}")));
    }
    routes
});

struct Route {
    operation: Operation,
    parts: Vec<&'static str>,
}

impl Endpoint {
    /// The operation that a head names.
    ///
    /// # Errors
    /// [`FaultKind::UnknownEndpoint`] where no row matches; [`FaultKind::BadName`] and
    /// [`FaultKind::BadReference`] where one would if the object's name were one.
    pub fn find(head: &Head) -> Result<Self, Fault> {
        Self::route(head.method, &head.target.segments)
    }

    /// The operation of a method and path segments.
    ///
    /// # Errors
    /// As [`Endpoint::find`].
    pub fn route(method: Method, segments: &[Segment]) -> Result<Self, Fault> {
        let unknown = || Fault::new(FaultKind::UnknownEndpoint, "");
        let first = segments.first().filter(|first| !first.encoded).ok_or_else(unknown)?;
        let routes = ROUTES.get(&(method, first.text.as_str())).ok_or_else(unknown)?;
        let (operation, names) = routes.iter().find_map(|route| Some((route.operation, route.names(segments)?))).ok_or_else(unknown)?;
        Ok(Self { operation, names: names? })
    }

    /// The first name of the path: the object that is acted on.
    pub fn name(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }

    /// The canonical path: version prefix where the client used one, and the template with its names.
    pub fn write(&self, version: Option<ApiVersion>, out: &mut String) {
        if let Some(version) = version {
            out.push_str("/v");
            out.push_str(&version.to_string());
        }
        if self.names.is_empty() {
            return out.push_str(self.operation.row().path);
        }
        let mut names = self.names.iter();
        for part in self.operation.row().path.split('/').skip(1) {
            out.push('/');
            let name = if part.starts_with('{') { names.next().map(String::as_str) } else { None };
            out.push_str(name.unwrap_or(part));
        }
    }

    /// The canonical path without version, as rules see it.
    pub fn path(&self) -> String {
        let mut out = String::new();
        self.write(None, &mut out);
        out
    }
}

impl Route {
    /// The names that the placeholders take, or nothing where a fixed segment differs.
    fn names(&self, segments: &[Segment]) -> Option<Result<Vec<String>, Fault>> {
        match self.parts.iter().position(|part| *part == "{image}") {
            Some(at) => self.image(at, segments),
            None if self.parts.len() == segments.len() => self.fixed(segments),
            None => None,
        }
    }

    fn fixed(&self, segments: &[Segment]) -> Option<Result<Vec<String>, Fault>> {
        let placeholder = |part: &str| part.starts_with('{');
        let same = |(part, segment): (&&str, &Segment)| !segment.encoded && (placeholder(part) || *part == segment.text);
        self.parts.iter().zip(segments).all(same).then_some(())?;
        let names = self.parts.iter().zip(segments).filter(|(part, _)| placeholder(part)).map(|(_, segment)| object_name(&segment.text));
        Some(names.collect())
    }

    /// `{image}` takes one or more segments, as the daemon's greedy `{name:.*}` does, and the last segments decide.
    fn image(&self, at: usize, segments: &[Segment]) -> Option<Result<Vec<String>, Fault>> {
        let (before, after) = (self.parts.get(..at)?, self.parts.get(at + 1..)?);
        let end = segments.len().checked_sub(after.len()).filter(|end| *end > at)?;
        let same = |parts: &[&str], segments: &[Segment]| {
            parts.iter().zip(segments).all(|(part, segment)| *part == segment.text && !segment.encoded)
        };
        (same(before, segments) && same(after, segments.get(end..)?)).then_some(())?;
        Some(image_name(segments.get(at..end)?).map(|name| vec![name]))
    }
}

fn image_name(segments: &[Segment]) -> Result<String, Fault> {
    let name = segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join("/");
    match name.parse::<ImageName>() {
        Ok(ImageName::Named(_) | ImageName::Id(_)) => Ok(name),
        Err(kind) => Err(Fault::new(kind, name)),
    }
}

fn object_name(name: &str) -> Result<String, Fault> {
    if is_object_name(name) { Ok(name.to_owned()) } else { Err(Fault::new(FaultKind::BadName, name)) }
}

/// `[a-zA-Z0-9][a-zA-Z0-9_.-]*`: what the engine gives to containers, networks, volumes and swarm objects.
pub fn is_object_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::super::target::Target;
    use super::*;

    fn route(method: Method, path: &str) -> Result<(Operation, String), FaultKind> {
        let target = Target::parse(path).map_err(|fault| fault.kind)?;
        Endpoint::route(method, &target.segments).map(|endpoint| (endpoint.operation, endpoint.path())).map_err(|fault| fault.kind)
    }

    #[test]
    fn every_row_routes_to_itself() {
        for operation in TABLE {
            let row = operation.row();
            let path = row.path.replace("{image}", "reg.example:5000/a/b:1").replace("{id}", "abc").replace("{checkpoint}", "cp");
            assert_eq!(route(row.method, &path), Ok((*operation, path)));
        }
    }

    #[test]
    fn the_last_segment_decides_for_images_as_in_the_engine() {
        assert_eq!(route(Method::Get, "/images/alpine/json/get"), Ok((Operation::ImageGet, "/images/alpine/json/get".into())));
        assert_eq!(route(Method::Get, "/images/get/json"), Ok((Operation::ImageInspect, "/images/get/json".into())));
        assert_eq!(route(Method::Get, "/images/get"), Ok((Operation::ImageGetAll, "/images/get".into())));
        assert_eq!(
            route(Method::Get, "/images/docker.io%2Flibrary%2Falpine/json"),
            Ok((Operation::ImageInspect, "/images/docker.io/library/alpine/json".into()))
        );
    }

    #[test]
    fn refuses_paths_that_only_the_engines_greedy_patterns_would_take() {
        for path in [
            "/containers/a/b/json",
            "/containers/abc/json/export",
            "/networks/bridge/json",
            "/containers/abc%2Fjson",
            "/containers/%6a%73on",
            "/%63ontainers/json",
            "/containers%2Fjson",
            "/Containers/json",
            "/v1.44/v1.44/info",
            "/libpod/info",
            "/metrics",
        ] {
            assert_eq!(route(Method::Get, path), Err(FaultKind::UnknownEndpoint), "{path}");
        }
        assert_eq!(route(Method::Post, "/containers/abc/start/exec"), Err(FaultKind::UnknownEndpoint));
        assert_eq!(route(Method::Post, "/images/push"), Err(FaultKind::UnknownEndpoint), "an image has a name");
        assert_eq!(route(Method::Head, "/containers/json"), Err(FaultKind::UnknownEndpoint));
        assert_eq!(route(Method::Get, "/containers/-x/json"), Err(FaultKind::BadName));
        assert_eq!(route(Method::Get, "/images/A_B/json"), Err(FaultKind::BadReference));
    }
}
