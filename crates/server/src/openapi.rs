//! What an interface over HTTP offers, as data: the router and its description in OpenAPI 3.1 are both made of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Extension, Router,
    http::{Method, header, request::Parts},
    routing::{MethodRouter, get, options},
};
use serde_json::{Map, Value, json};
use syncline_protocol::wire::sync_v1::Code;

use crate::{entities::preflight, shared::Shared};

/// Lines of JSON.
pub(crate) const LINES: &str = "application/x-ndjson";

/// A refusal in the form of RFC 9457.
pub(crate) const PROBLEM: &str = "application/problem+json";

/// An interface. `C` is a code of its refusals.
pub(crate) struct Api<C: 'static> {
    /// Where all operations are.
    pub(crate) base: &'static str,
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    /// Whether nobody is answered without a token, also where none is asked for elsewhere.
    pub(crate) is_for_bearers: bool,
    pub(crate) operations: &'static [Operation<C>],
    /// What of an answer other operations take.
    pub(crate) links: &'static [Link],
    /// Returns all schemas by their names.
    pub(crate) schemas: fn() -> Value,
    /// Returns the schema of a placeholder in a path.
    pub(crate) of_path: fn(&str) -> Value,
    /// Returns the schema of a member of the query.
    pub(crate) of_query: fn(&str) -> Value,
    /// Returns the headers that an operation reads.
    pub(crate) headers: fn(&Operation<C>) -> Vec<Value>,
    /// Returns the headers of an answer of this status that are told, by their names.
    pub(crate) answer_headers: fn(&Operation<C>, u16) -> Option<Value>,
    /// Returns the refusals that there may be, in the order in which they are told.
    pub(crate) refusals: fn(&Operation<C>) -> Vec<Refused>,
}

/// One operation on one path.
pub(crate) struct Operation<C: 'static> {
    pub(crate) method: Method,
    /// Below the base, with placeholders in braces.
    pub(crate) path: &'static str,
    /// How generated clients call it.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    /// Members of the query, with what is to be known of each.
    pub(crate) query: &'static [Parameter],
    /// The forms of the body, if it has one.
    pub(crate) body: &'static [Content],
    /// What is answered when all is well.
    pub(crate) answers: &'static [(u16, Content)],
    /// The refusals that are its own, besides those that each operation knows.
    pub(crate) codes: &'static [C],
    pub(crate) serve: fn() -> MethodRouter<Arc<Shared>>,
}

/// A member of the query.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    /// Whether it may come several times.
    pub(crate) repeats: bool,
    pub(crate) summary: &'static str,
}

/// What of an answer another operation takes, so that tools can go from the one to the other.
pub(crate) struct Link {
    /// Which operation answers, and with which status.
    pub(crate) from: (&'static str, u16),
    /// Which operation takes it.
    pub(crate) to: &'static str,
    /// The parameters that it takes.
    pub(crate) parameters: &'static [Taken],
    /// The members of the body that it takes.
    pub(crate) body: &'static [Taken],
}

/// The name of something, and where its value stands, as a runtime expression of OpenAPI: `("name", "$request.path.name")`.
pub(crate) type Taken = (&'static str, &'static str);

/// A status, and the word that says why.
pub(crate) type Word = (u16, &'static str);

/// What a body or an answer holds.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// JSON of a schema.
    Json(&'static str),
    /// Lines of JSON of a schema.
    Lines(&'static str),
    /// Characters.
    Text,
    /// Characters with marks.
    Markdown,
    /// Bytes that only Yjs reads.
    Bytes,
    /// Server-sent events.
    Events,
    /// None: the connection becomes a WebSocket.
    Socket,
    /// None.
    Nothing,
}

/// A refusal.
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    /// What kind of JSON tells it.
    pub(crate) media: &'static str,
    pub(crate) schema: &'static str,
}

impl<C> Api<C> {
    /// Returns everything that is served: each operation, and the description of all.
    pub(crate) fn routes(&self) -> Router<Arc<Shared>> {
        let description = self.describe().to_string();
        let json = [(header::CONTENT_TYPE, "application/json")];
        let describe = get(async move || (json, description.clone()));
        let mut router = Router::new().route(&format!("{}/openapi.json", self.base), describe);
        let paths: BTreeSet<&str> = self.operations.iter().map(|operation| operation.path).collect();
        for path in paths {
            router = router.route(&format!("{}{path}", self.base), options(preflight));
        }
        for operation in self.operations {
            let known = Extension(KnownQuery(operation.query));
            let served: MethodRouter<Arc<Shared>> = (operation.serve)().route_layer(known);
            router = router.route(&format!("{}{}", self.base, operation.path), served);
        }
        router
    }

    /// Returns the description.
    pub(crate) fn describe(&self) -> Value {
        let mut paths = Map::new();
        for operation in self.operations {
            let path = paths.entry(format!("{}{}", self.base, operation.path)).or_insert_with(|| json!({}));
            path[operation.method.as_str().to_ascii_lowercase()] = self.describe_one(operation);
        }
        let bearer = json!({ "bearer": [] });
        let security = if self.is_for_bearers { json!([bearer]) } else { json!([{}, bearer]) };
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": self.title,
                "version": env!("CARGO_PKG_VERSION"),
                "license": { "name": "MIT OR Apache-2.0" },
                "description": self.about,
            },
            "servers": [{ "url": "/" }],
            "security": security,
            "paths": paths,
            "components": {
                "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
                "schemas": (self.schemas)(),
            },
        })
    }

    fn describe_one(&self, operation: &Operation<C>) -> Value {
        let mut described = json!({
            "operationId": operation.id,
            "summary": operation.summary,
            "parameters": self.parameters(operation),
            "responses": self.responses(operation),
        });
        let forms: Map<String, Value> = operation.body.iter().filter_map(|form| form.media()).collect();
        if !forms.is_empty() {
            described["requestBody"] = json!({ "required": true, "content": forms });
        }
        described
    }

    fn parameters(&self, operation: &Operation<C>) -> Vec<Value> {
        let in_path = operation.path.split('{').skip(1).filter_map(|part| part.split('}').next());
        let in_path = in_path.map(
            |name| json!({ "name": name, "in": "path", "required": true, "schema": (self.of_path)(name) }),
        );
        let in_query = operation.query.iter().map(|Parameter { name, required, repeats, summary }| {
            let one = (self.of_query)(name);
            let schema = if *repeats { json!({ "type": "array", "items": one }) } else { one };
            json!({ "name": name, "in": "query", "required": required, "description": summary, "schema": schema })
        });
        in_path.chain(in_query).chain((self.headers)(operation)).collect()
    }

    fn responses(&self, operation: &Operation<C>) -> Value {
        let mut responses = Map::new();
        for (status, content) in operation.answers {
            let told = responses
                .entry(status.to_string())
                .or_insert_with(|| json!({ "description": content.description() }));
            if let Some(headers) = (self.answer_headers)(operation, *status) {
                told["headers"] = headers;
            }
            let links = self.links_from((operation.id, *status));
            if !links.is_empty() {
                told["links"] = Value::Object(links);
            }
            // One answer may come in several forms.
            if let Some((media, schema)) = content.media() {
                told["content"][media] = schema;
            }
        }
        let mut refusals: BTreeMap<u16, (Vec<&str>, Map<String, Value>)> = BTreeMap::new();
        for Refused { status, code, media, schema } in (self.refusals)(operation) {
            let (codes, forms) = refusals.entry(status).or_default();
            if !codes.contains(&code) {
                codes.push(code);
            }
            forms.insert(media.to_owned(), json!({ "schema": reference(schema) }));
        }
        for (status, (codes, forms)) in refusals {
            responses
                .insert(status.to_string(), json!({ "description": codes.join(", "), "content": forms }));
        }
        Value::Object(responses)
    }

    fn links_from(&self, answer: (&str, u16)) -> Map<String, Value> {
        let links = self.links.iter().filter(|link| link.from == answer);
        links.map(|link| (link.to.to_owned(), link.describe())).collect()
    }
}

impl Link {
    fn describe(&self) -> Value {
        let taken = |taken: &[Taken]| -> Map<String, Value> {
            taken.iter().map(|(name, place)| ((*name).to_owned(), json!(place))).collect()
        };
        let mut described = json!({ "operationId": self.to, "parameters": taken(self.parameters) });
        if !self.body.is_empty() {
            described["requestBody"] = Value::Object(taken(self.body));
        }
        described
    }
}

/// Returns how a signature is refused. It is looked at before the operation, and refused alike by all.
pub(crate) fn of_signature(has_body: bool) -> impl Iterator<Item = Refused> {
    let codes = [Code::SignatureInvalid, Code::RateLimited, Code::ReadOnly];
    let codes = codes.into_iter().chain(has_body.then_some(Code::PayloadTooLarge));
    codes.map(|code| Refused {
        status: code.status(),
        code: code.as_str(),
        media: PROBLEM,
        schema: "Problem",
    })
}

impl Content {
    const fn description(self) -> &'static str {
        match self {
            Self::Json(_) | Self::Text | Self::Markdown | Self::Bytes => "All is well.",
            Self::Lines(_) => "Lines, each of which is JSON.",
            Self::Socket => "The connection is a WebSocket from now on.",
            Self::Events => "Events, as they come.",
            Self::Nothing => "All is well, and there is nothing to tell.",
        }
    }

    /// Returns the media type with what is told of it.
    fn media(&self) -> Option<(String, Value)> {
        let (media, schema) = match self {
            Self::Json(schema) => ("application/json", reference(schema)),
            Self::Lines(schema) => (LINES, reference(schema)),
            Self::Text => ("text/plain", json!({ "type": "string" })),
            Self::Markdown => ("text/markdown", json!({ "type": "string" })),
            Self::Bytes => ("application/octet-stream", json!({ "type": "string", "format": "binary" })),
            Self::Events => ("text/event-stream", json!({ "type": "string" })),
            Self::Socket | Self::Nothing => return None,
        };
        Some((media.to_owned(), json!({ "schema": schema })))
    }
}

/// The members that the query of a request may have.
#[derive(Clone, Copy)]
struct KnownQuery(&'static [Parameter]);

/// Returns why the query of a request is refused: it has a member that the operation does not know. If that is misspelled, something else
/// was meant than would be done. Who asks is to be found out before.
pub(crate) fn check_query(parts: &Parts) -> Result<(), String> {
    let Some(KnownQuery(known)) = parts.extensions.get() else { return Ok(()) };
    let query = parts.uri.query().unwrap_or_default();
    let mut members = form_urlencoded::parse(query.as_bytes());
    match members.find(|(name, _)| known.iter().all(|parameter| parameter.name != name)) {
        Some((name, _)) => Err(format!("the query has no member `{name}` here")),
        None => Ok(()),
    }
}

/// Refers to a schema of the same description.
pub(crate) fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Whoever makes clients of it takes a member that is there for one that says something.
    pub(crate) fn check_that_nothing_is_null<C>(api: &Api<C>) {
        fn nulls(value: &Value) -> usize {
            match value {
                Value::Null => 1,
                Value::Array(items) => items.iter().map(nulls).sum(),
                Value::Object(members) => members.values().map(nulls).sum(),
                Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
            }
        }
        assert_eq!(nulls(&api.describe()), 0);
    }

    /// Links lead from answers that there are to operations that take what they bring.
    pub(crate) fn check_links<C>(api: &Api<C>) {
        for Link { from: (from, status), to, parameters, body } in api.links {
            let of_id = |id: &str| api.operations.iter().find(|operation| operation.id == id);
            let answers = of_id(from).is_some_and(|from| from.answers.iter().any(|(told, _)| told == status));
            assert!(answers, "{from} does not answer {status}");
            let to = of_id(to).unwrap_or_else(|| panic!("there is no operation {to}"));
            let known = api.parameters(to);
            for (name, _) in *parameters {
                assert!(known.iter().any(|known| known["name"] == *name), "{} takes no {name}", to.id);
            }
            let schema = to.body.iter().find_map(|form| {
                if let Content::Json(schema) = form {
                    Some((api.schemas)()[schema]["properties"].clone())
                } else {
                    None
                }
            });
            for (member, _) in *body {
                let takes = schema.as_ref().is_some_and(|members| members.get(member).is_some());
                assert!(takes, "the body of {} has no {member}", to.id);
            }
        }
        let mut ends: Vec<_> = api.links.iter().map(|link| (link.from, link.to)).collect();
        ends.sort_unstable();
        let count = ends.len();
        ends.dedup();
        assert_eq!(ends.len(), count, "there is one link from an answer to an operation");
    }

    /// What is referred to is there.
    pub(crate) fn check_references<C>(api: &Api<C>) {
        let text = api.describe().to_string();
        let schemas = (api.schemas)();
        for name in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(schemas.get(name).is_some(), "there is no schema {name}");
        }
    }
}
