//! Images that were made by a recipe: whether one is as it should be, and which of them have been superseded.

use std::collections::HashMap;

use bollard::models::ImageInspect;
use bollard::query_parameters::{PruneImagesOptions, PruneImagesOptionsBuilder};

use crate::domain::time::Timestamp;

/// Label of an image: the digest of the recipe that it was made by.
pub const RECIPE_LABEL: &str = "guichet.recipe";

/// Whether an image is on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is there and, if it has a recipe, was made by it as it is now.
    Current,
    /// It is there, but its recipe has changed.
    Outdated,
    /// It is not there.
    Missing,
}

impl Presence {
    /// That of an image which an engine knows.
    ///
    /// * `recipe` — digest of its recipe; `None`: it has none.
    pub fn of(found: &ImageInspect, recipe: Option<&str>) -> Self {
        let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
        let label = labels.and_then(|labels| labels.get(RECIPE_LABEL)).map(String::as_str);
        if recipe.is_none() || label == recipe { Self::Current } else { Self::Outdated }
    }
}

/// When an image was made, if its engine says so.
pub fn made_at(found: &ImageInspect) -> Option<Timestamp> {
    found.created.as_ref()?.parse().ok()
}

/// Names images made by a recipe that have no name any more.
pub fn superseded() -> PruneImagesOptions {
    nameless(RECIPE_LABEL)
}

/// Names images with this label that have no name any more.
pub(super) fn nameless(label: &str) -> PruneImagesOptions {
    let filters = HashMap::from([("label", vec![label.to_owned()]), ("dangling", vec!["true".to_owned()])]);
    PruneImagesOptionsBuilder::new().filters(&filters).build()
}
