//! The dma-fence command.
fn main() {}
