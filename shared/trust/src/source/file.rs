use std::io;
use std::path::Path;

use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::error::SourceProblem;

/// Reads a whole file of at most `limit` bytes.
pub(crate) async fn read(path: &Path, limit: usize) -> Result<Vec<u8>, SourceProblem> {
    // Asked first: to open a pipe that nobody writes to would block a thread for ever.
    let metadata = tokio::fs::metadata(path).await.map_err(|error| explain(&error))?;
    if !metadata.is_file() {
        return Err(SourceProblem::Service("is not a regular file".into()));
    }
    let file = File::open(path).await.map_err(|error| explain(&error))?;
    let mut content = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most)
        .read_to_end(&mut content)
        .await
        .map_err(|error| explain(&error))?;
    if content.len() > limit {
        return Err(SourceProblem::TooLarge { limit });
    }
    Ok(content)
}

fn explain(error: &io::Error) -> SourceProblem {
    match error.kind() {
        io::ErrorKind::NotFound => SourceProblem::NotFound("there is no such file".into()),
        io::ErrorKind::PermissionDenied => {
            SourceProblem::Forbidden("the user of this process may not read the file".into())
        }
        _ => SourceProblem::Service(format!("cannot be read: {error}")),
    }
}
