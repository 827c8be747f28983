//! An exercise as it was imported, with what of its package is not in it.

use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::exercise::Exercise;
use crate::packages;

/// Something of a package that is not in the exercise, or not as it was.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportNote {
    /// The file or folder of the package.
    pub path: String,
    /// What became of it.
    pub message: String,
}

impl From<packages::Note> for ImportNote {
    fn from(note: packages::Note) -> Self {
        let packages::Note { path, message } = note;
        Self { path, message }
    }
}

/// An exercise, as it is stored, and what of its package is not in it.
#[derive(Debug, Serialize)]
pub struct ImportedExercise {
    /// The exercise.
    #[serde(flatten)]
    pub exercise: Exercise,
    /// What is left out or changed.
    pub notes: Vec<ImportNote>,
}

/// Described as one object: clients that are made from the document have no parts of objects.
impl PartialSchema for ImportedExercise {
    fn schema() -> RefOr<Schema> {
        match Exercise::schema() {
            RefOr::T(Schema::Object(mut object)) => {
                object.description =
                    Some("An exercise, as it is stored, and what of its package is not in it.".to_owned());
                let notes = ArrayBuilder::new()
                    .items(Ref::from_schema_name("ImportNote"))
                    .description(Some("What of the package is left out or changed."));
                object.properties.insert("notes".to_owned(), notes.into());
                object.required.push("notes".to_owned());
                RefOr::T(Schema::Object(object))
            }
            other => other,
        }
    }
}

impl ToSchema for ImportedExercise {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Exercise::schemas(schemas);
        schemas.push(("ImportNote".to_owned(), ImportNote::schema()));
    }
}
