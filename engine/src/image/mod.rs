//! Images: names, what a name means, how images come to be and how they leave.

mod add;
mod archive;
pub mod bundle;
pub mod catalogue;
mod change;
mod explore;
mod gzip;
mod history;
mod reference;
mod resolve;
mod transfer;

pub use add::{
    AddError, AddedLayer, Expected, NewImage, add_expected_layer, add_image, add_layer, name_image,
    scratch_config,
};
pub use archive::{ArchiveError, load, save};
pub use change::{BadChange, apply_change};
pub use explore::{Change, Exploration, ExploredLayer, Kind, TreeEntry, Waste, explore};
pub use history::history;
pub use reference::{BadReference, Reference, Selector};
pub use resolve::{Image, ImageError, Named, images_of};
pub use transfer::pack_for_transfer;
