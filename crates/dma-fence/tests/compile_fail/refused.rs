//! A program that the compiler must refuse, written once and checked twice.
//!
//! Why not `trybuild`: it compares the compiler's messages, which differ between the oldest Rust that is
//! supported, stable and nightly. The error's code does not; but rustdoc compares codes on nightly only,
//! and elsewhere is content with any error, a misspelt name included. So each case is two doctests: the
//! program without its last part compiles, and with it, it does not.

/// `setup` compiles; followed by `mistake` it is refused, with that error code.
macro_rules! refused {
    ($(#[$what:meta])* $name:ident, $code:literal, $setup:literal, $mistake:literal) => {
        $(#[$what])*
        #[doc = concat!("```no_run\n", $setup, "\n```\n")]
        #[doc = concat!("```compile_fail,", $code, "\n", $setup, "\n", $mistake, "\n```\n")]
        pub struct $name;
    };
}
