//! The screen of a terminal as a person would see it, kept even while nobody looks.
//!
//! `picture` is the screen: output is drawn into it, and it can be drawn again elsewhere, the
//! primary screen beneath the alternate one included. `probe` finds what the emulation knows but
//! does not tell; `replies` answers what programs ask of a terminal. Titles, clipboard and images
//! are deliberately absent.

mod picture;
mod probe;
mod replies;
mod size;
#[cfg(test)]
mod tests;

pub(crate) use picture::Screen;
pub(crate) use size::Size;
