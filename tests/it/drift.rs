//! The tables against the models of `bollard-stubs`, which are made from the API's own document: a field that we do not know fails.
//! Knows nothing of classes; the models' field lists come from their own deserializers.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use bollard_stubs::models;
use dockgate::docker::decode::fold;
use dockgate::docker::schema::{self, Field, Schema, Type};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

/// Where the document and the engine's code differ, each with the reason; at most ten.
const IGNORED: [(&str, &str); 6] = [
    ("PluginSpec.PluginPrivilege", "the engine's own type calls it `privileges`, in every release"),
    ("ContainerUpdate.Init", "a field of HostConfig in the engine's code, and not of Resources, which update reads"),
    ("ClusterVolumeSpec.AccessMode.Secrets", "one level too deep in the document: a field of ClusterVolumeSpec"),
    ("ClusterVolumeSpec.AccessMode.AccessibilityRequirements", "one level too deep in the document: a field of ClusterVolumeSpec"),
    ("ClusterVolumeSpec.AccessMode.CapacityRange", "one level too deep in the document: a field of ClusterVolumeSpec"),
    ("ClusterVolumeSpec.AccessMode.Availability", "one level too deep in the document: a field of ClusterVolumeSpec"),
];

/// Fewer than this were not the whole of the models.
const LEAST_FIELDS: usize = 400;

/// What a model reads at one place.
#[derive(Debug, Default)]
enum Shape {
    /// Whatever is there.
    #[default]
    Any,
    Bool,
    Int,
    Float,
    Text,
    List(Box<Self>),
    Map(Box<Self>),
    Struct(Vec<(&'static str, Self)>),
}

/// A deserializer without input: it notes what is asked of it, and answers with the least value of that type.
struct Probe<'s>(&'s mut Shape);

fn shape<T: DeserializeOwned>() -> Shape {
    let mut shape = Shape::Any;
    T::deserialize(Probe(&mut shape)).map(drop).unwrap_or_else(|error| panic!("{}: {error}", std::any::type_name::<T>()));
    shape
}

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            *self.0 = Shape::Int;
            visitor.visit_u64(0)
        })*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    numbers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Bool;
        visitor.visit_bool(false)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Float;
        visitor.visit_f64(0.0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Text;
        visitor.visit_str("")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut of = Shape::Any;
        let value = visitor.visit_seq(Once(Some(&mut of)));
        *self.0 = Shape::List(Box::new(of));
        value
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut of = Shape::Any;
        let value = visitor.visit_map(Once(Some(&mut of)));
        *self.0 = Shape::Map(Box::new(of));
        value
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        let mut members = Vec::new();
        let value = visitor.visit_map(Members { left: fields, found: &mut members });
        *self.0 = Shape::Struct(members);
        value
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, words: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Text;
        let first: StrDeserializer<'_, Error> = words.first().copied().unwrap_or_default().into_deserializer();
        visitor.visit_enum(first)
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any }
}

/// A list or a map of one element.
struct Once<'s>(Option<&'s mut Shape>);

impl<'de> SeqAccess<'de> for Once<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.0.take().map(|of| seed.deserialize(Probe(of))).transpose()
    }
}

impl<'de> MapAccess<'de> for Once<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.0.is_some().then(|| seed.deserialize(Probe(&mut Shape::Any))).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(Probe(self.0.take().expect("a key came first")))
    }
}

/// Every member of a struct.
struct Members<'s> {
    left: &'static [&'static str],
    found: &'s mut Vec<(&'static str, Shape)>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some((name, left)) = self.left.split_first() else { return Ok(None) };
        self.left = left;
        self.found.push((name, Shape::Any));
        let key: StrDeserializer<'_, Error> = (*name).into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let (_, of) = self.found.last_mut().expect("a key came first");
        seed.deserialize(Probe(of))
    }
}

/// A difference, at `Schema.Field`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    Unknown(String),
    Type(String),
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(at) => write!(f, "{at}: not in the tables"),
            Self::Type(at) => write!(f, "{at}: another type in the tables"),
        }
    }
}

#[derive(Default)]
struct Comparison {
    fields: usize,
    found: BTreeSet<Difference>,
}

impl Comparison {
    fn root<T: DeserializeOwned>(&mut self, schema: &'static Schema) {
        match shape::<T>() {
            Shape::Struct(members) => self.object(&members, schema),
            other => panic!("{}: {other:?}", std::any::type_name::<T>()),
        }
    }

    fn object(&mut self, members: &[(&'static str, Shape)], schema: &'static Schema) {
        for (name, inner) in members {
            self.fields += 1;
            let here = format!("{}.{name}", schema.name);
            match schema.fields.iter().find(|field| fold(field.name) == fold(name)) {
                Some(Field { ty, .. }) => self.value(inner, ty, &here),
                None => {
                    self.found.insert(Difference::Unknown(here));
                }
            }
        }
    }

    fn value(&mut self, shape: &Shape, ty: &'static Type, at: &str) {
        match (shape, ty) {
            (Shape::Struct(members), Type::Object(schema)) => self.object(members, schema),
            (Shape::List(inner), Type::List(of) | Type::Array(of, _)) => self.value(inner, of, at),
            (Shape::List(inner), Type::StrSlice) => self.value(inner, &Type::Str, at),
            (Shape::Map(inner), Type::Map(of)) => self.value(inner, of, at),
            // an object whose fields the document does not list
            (Shape::Map(inner), Type::Object(_)) if matches!(**inner, Shape::Any) => {}
            (Shape::Any, _) | (Shape::Bool, Type::Bool) | (Shape::Int, Type::Int(..)) => {}
            (Shape::Float, Type::Float) | (Shape::Text, Type::Str) => {}
            _ => {
                self.found.insert(Difference::Type(at.to_owned()));
            }
        }
    }
}

#[test]
fn the_tables_know_every_field_of_the_newest_models() {
    let mut all = Comparison::default();
    all.root::<models::ContainerCreateBody>(&schema::CONTAINER_CREATE);
    all.root::<models::ContainerConfig>(&schema::IMAGE_COMMIT);
    all.root::<models::ContainerUpdateBody>(&schema::CONTAINER_UPDATE);
    all.root::<models::ExecConfig>(&schema::EXEC_CREATE);
    all.root::<models::ExecStartConfig>(&schema::EXEC_START);
    all.root::<models::NetworkCreateRequest>(&schema::NETWORK_CREATE);
    all.root::<models::NetworkConnectRequest>(&schema::NETWORK_CONNECT);
    all.root::<models::NetworkDisconnectRequest>(&schema::NETWORK_DISCONNECT);
    all.root::<models::VolumeCreateRequest>(&schema::VOLUME_CREATE);
    // the document gives the body of volume update no name of its own
    all.root::<models::Body>(&schema::VOLUME_UPDATE);
    all.root::<models::ServiceSpec>(&schema::SERVICE_SPEC);
    all.root::<models::SecretSpec>(&schema::SECRET_SPEC);
    all.root::<models::ConfigSpec>(&schema::CONFIG_SPEC);
    all.root::<models::SwarmSpec>(&schema::SWARM_SPEC);
    all.root::<models::SwarmInitRequest>(&schema::SWARM_INIT);
    all.root::<models::SwarmJoinRequest>(&schema::SWARM_JOIN);
    all.root::<models::SwarmUnlockRequest>(&schema::SWARM_UNLOCK);
    all.root::<models::NodeSpec>(&schema::NODE_SPEC);
    all.root::<models::AuthConfig>(&schema::AUTH_CONFIG);
    all.value(&shape::<Vec<models::PluginPrivilege>>(), &schema::PLUGIN_PRIVILEGES.ty, "PluginPrivileges");
    assert!(all.fields >= LEAST_FIELDS, "only {} fields", all.fields);

    let ignored = |difference: &Difference| IGNORED.iter().any(|(at, _)| *difference == Difference::Unknown((*at).to_owned()));
    let (known, new): (BTreeSet<_>, BTreeSet<_>) = all.found.into_iter().partition(ignored);
    assert!(new.is_empty(), "{}", new.iter().map(Difference::to_string).collect::<Vec<_>>().join("\n"));
    assert_eq!(known.len(), IGNORED.len(), "an entry of the list is stale");
    assert!(IGNORED.len() <= 10 && IGNORED.iter().all(|(_, reason)| !reason.is_empty()));
}

#[test]
fn sees_a_new_field_and_a_new_type_at_any_depth() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only the field list is read")]
    struct Newer {
        #[serde(rename = "Role")]
        role: Option<u64>,
        #[serde(rename = "Labels")]
        labels: Option<std::collections::HashMap<String, String>>,
        #[serde(rename = "Shiny")]
        shiny: Vec<Deeper>,
    }
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only the field list is read")]
    struct Deeper {
        #[serde(rename = "Spread")]
        spread: Option<bool>,
    }
    let mut all = Comparison::default();
    all.root::<Newer>(&schema::NODE_SPEC);
    let expected = [Difference::Type("NodeSpec.Role".into()), Difference::Unknown("NodeSpec.Shiny".into())];
    assert_eq!(all.found, BTreeSet::from(expected));
    let Shape::Struct(members) = shape::<Newer>() else { panic!("a struct") };
    assert!(matches!(&members[2].1, Shape::List(of) if matches!(&**of, Shape::Struct(deeper) if deeper[0].0 == "Spread")));
}

/// `docs/fields.md` is what the tables say.
#[test]
fn the_page_of_fields_is_current() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fields.md");
    let page = format!("{}\n", dockgate::cli::docs::fields_md().trim_end());
    if crate::support::bless() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/fields.md is stale: `dockgate docs fields` prints it, and BLESS=1 writes it");
}
