//! The whole site on a real loopback socket, with a keeper that is a script of lines.

mod pages;
mod site;
mod watching;
