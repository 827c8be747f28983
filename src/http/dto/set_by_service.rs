//! Fields of an exercise that the service sets: who reads, edits and sends it whole sends them along.

use crate::app::FieldError;
use crate::domain::exercise::Exercise;
use crate::domain::ids::ExerciseId;

/// What a request says about them; `None` is left out.
#[derive(Clone, Debug, Default)]
pub struct SetByService {
    /// Its id.
    pub id: Option<String>,
    /// Its version.
    pub version: Option<u32>,
    /// When this version was made.
    pub updated_at: Option<String>,
    /// How many tests it has.
    pub test_count: Option<u32>,
}

impl SetByService {
    /// Whether nothing is said that only the stored exercise can tell.
    pub const fn is_left_out(&self) -> bool {
        self.version.is_none() && self.updated_at.is_none() && self.test_count.is_none()
    }

    /// That the id is the one in the path.
    pub fn check_id(&self, in_path: &ExerciseId) -> Vec<FieldError> {
        let is_other = self.id.as_ref().is_some_and(|id| id != in_path.as_str());
        let error = || FieldError::body("/id", format!("is read-only: the path says `{in_path}`"));
        is_other.then(error).into_iter().collect()
    }

    /// What is said otherwise than it is stored.
    pub fn changed(&self, stored: Option<&Exercise>) -> Vec<FieldError> {
        let said = [
            ("/version", self.version.map(|version| version.to_string())),
            ("/updated_at", self.updated_at.clone()),
            ("/test_count", self.test_count.map(|count| count.to_string())),
        ];
        let is = stored.map(|stored| {
            [
                stored.version.to_string(),
                stored.updated_at.to_string(),
                stored.spec.kind.tests().len().to_string(),
            ]
        });
        let mut errors = Vec::new();
        for (index, (pointer, said)) in said.into_iter().enumerate() {
            let is = is.as_ref().and_then(|is| is.get(index));
            if said.is_some() && said.as_ref() != is {
                let why = match is {
                    Some(is) => format!("is read-only: {is} is stored"),
                    None => "is read-only, and no such exercise is stored yet".to_owned(),
                };
                errors.push(FieldError::body(pointer, why));
            }
        }
        errors
    }
}
