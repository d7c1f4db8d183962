//! A function and its records.

use alb_mtls_tests::{Clients, Function};

/// Starts `respond` with the anchors of these clients.
pub(crate) async fn respond(clients: &Clients, variables: &[(&str, &str)]) -> Function {
    let anchors = [("MTLS_ANCHORS".to_owned(), clients.anchors_source())];
    let others = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Function::start("respond", anchors.into_iter().chain(others)).await
}

/// Writes a file and names it as a source.
pub(crate) fn source(clients: &Clients, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = clients.directory().join(name);
    std::fs::write(&path, content).unwrap();
    format!("file:{}", path.display())
}
