//! Callbacks: nodes on a fence's list, run once after the fence's state is visible.
//!
//! - [`node`]: what every list entry has, and how it is fired without knowing its type
//! - [`list`]: the list itself
//! - [`claim`]: who may run or cancel a callback, decided by one atomic
//! - [`closure`]: a user's closure as a node, and the guard that cancels it
//! - [`drain`]: running detached lists, one after the other, however deep signals nest

mod claim;
mod closure;
pub(crate) mod drain;
mod list;
mod node;

pub(crate) use closure::Call;
pub use closure::{Declined, FenceCallback};
pub(crate) use closure::{register, register_detached};
pub(crate) use list::List;
pub(crate) use node::{Header, Interest, Node, NodeRef};
