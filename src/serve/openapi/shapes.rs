//! Schemas that no type of ours has: the bodies of Prometheus' API, and what is open.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Any object.
pub(in crate::serve) fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object"})
}

/// A success of Prometheus' API with this data.
fn success(data: &Schema) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["status", "data"],
        "properties": {
            "status": {"type": "string", "examples": ["success"]},
            "data": data,
            "warnings": {"type": "array", "items": {"type": "string"}},
            "infos": {"type": "array", "items": {"type": "string"}}
        }
    })
}

/// The result of a question.
pub(in crate::serve) fn computed(_: &mut SchemaGenerator) -> Schema {
    success(&json_schema!({
        "type": "object",
        "required": ["resultType", "result"],
        "properties": {
            "resultType": {"type": "string", "examples": ["vector", "matrix", "scalar", "string"]},
            "result": {"type": "array", "items": {}}
        }
    }))
}

/// A list of words.
pub(in crate::serve) fn words(_: &mut SchemaGenerator) -> Schema {
    success(&json_schema!({"type": "array", "items": {"type": "string"}}))
}

/// A list of label sets.
pub(in crate::serve) fn label_sets(_: &mut SchemaGenerator) -> Schema {
    success(&json_schema!({
        "type": "array",
        "items": {"type": "object", "additionalProperties": {"type": "string"}}
    }))
}
