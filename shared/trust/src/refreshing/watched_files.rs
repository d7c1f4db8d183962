//! Notices that files changed, by looking at them.
//!
//! Polling and not inotify: a source can be a symbolic link to a link (Kubernetes replaces the link
//! `..data`), so that every folder on the way would need a watch that follows each swap; NFS, EFS
//! and FUSE deliver no events for the changes of others; and a node has 128 inotify instances by
//! default, which other containers use too. `stat` follows links and works everywhere.

use std::fs::Metadata;
use std::path::PathBuf;
use std::time::SystemTime;

use tokio::task::JoinHandle;

use super::background::TICK;
use crate::source::{LocalFile, Source};

/// The files among sources, and their states.
#[derive(Debug)]
pub struct WatchedFiles {
    paths: Vec<PathBuf>,
    /// States for which a lookup was caused; `None` before the first.
    used: Option<States>,
    /// States at the last look.
    seen: Option<States>,
    /// Look that has not ended. A file system that hangs gets no second one.
    looking: Option<JoinHandle<States>>,
}

/// State of each file, in the order of the paths; `None` for one that cannot be looked at.
type States = Vec<Option<State>>;

/// Identity and times of a file. A file that is replaced has another inode; one that is written in
/// place has another time of its change, which no call sets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    length: u64,
    modified: Option<SystemTime>,
    inode: Inode,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
    changed_seconds: i64,
    changed_nanoseconds: i64,
}

impl WatchedFiles {
    /// Watches the files among the sources. Their first states count as a change, since a file can
    /// have changed after it was first read.
    pub fn new<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Self {
        let files = sources.into_iter().filter_map(Source::downcast_ref::<LocalFile>);
        Self {
            paths: files.map(|file| file.path.clone()).collect(),
            used: None,
            seen: None,
            looking: None,
        }
    }

    /// Returns true once after each change, when two looks found the same: a writer that is in the
    /// middle of a file gets the time between them to end.
    pub(super) async fn have_changed(&mut self) -> bool {
        if self.paths.is_empty() {
            return false;
        }
        let Some(states) = self.look().await else {
            return false;
        };
        let states = Some(states);
        let is_settled = self.seen == states;
        let is_news = self.used != states;
        if is_settled && is_news {
            self.used.clone_from(&states);
        }
        self.seen = states;
        is_settled && is_news
    }

    /// Looks at every file; `None` while the file system does not answer.
    async fn look(&mut self) -> Option<States> {
        let looking = self.looking.get_or_insert_with(|| {
            let paths = self.paths.clone();
            tokio::task::spawn_blocking(move || paths.iter().map(State::of_file).collect())
        });
        let states = tokio::time::timeout(TICK, looking).await.ok()?;
        self.looking = None;
        states.ok()
    }
}

impl State {
    fn of_file(path: &PathBuf) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            inode: Inode::from_metadata(&metadata),
        })
    }
}

impl Inode {
    #[cfg(unix)]
    fn from_metadata(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
            changed_seconds: metadata.ctime(),
            changed_nanoseconds: metadata.ctime_nsec(),
        }
    }

    #[cfg(not(unix))]
    fn from_metadata(_: &Metadata) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn watch(path: &Path) -> WatchedFiles {
        let file = LocalFile { path: path.into() };
        WatchedFiles::new([&Source::from(file)])
    }

    /// Looks until the files have settled, and returns whether they had changed.
    async fn changed(files: &mut WatchedFiles) -> bool {
        let first = files.have_changed().await;
        first | files.have_changed().await
    }

    #[tokio::test]
    async fn every_way_to_replace_a_file_is_a_change_and_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchors.pem");
        std::fs::write(&path, "one").unwrap();
        let mut files = watch(&path);
        assert!(
            changed(&mut files).await,
            "it can have changed after the first lookup"
        );
        assert!(!changed(&mut files).await);

        // Longer than the clock of a file system takes for a step.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, "two").unwrap();
        std::fs::File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        assert!(
            changed(&mut files).await,
            "same length, same time of modification"
        );

        let new = folder.path().join("new");
        std::fs::write(&new, "two").unwrap();
        std::fs::rename(&new, &path).unwrap();
        assert!(changed(&mut files).await, "renamed over");

        std::fs::remove_file(&path).unwrap();
        assert!(changed(&mut files).await, "removed");
        assert!(!changed(&mut files).await);
        std::fs::write(&path, "two").unwrap();
        assert!(changed(&mut files).await, "there again");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_swap_of_kubernetes_is_a_change() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, content) in [("..1", "one"), ("..2", "two")] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("anchors.pem"), content).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/anchors.pem", at("anchors.pem")).unwrap();
        let mut files = watch(&at("anchors.pem"));
        assert!(changed(&mut files).await);
        assert!(!changed(&mut files).await);

        symlink("..2", at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        std::fs::remove_dir_all(at("..1")).unwrap();
        assert!(changed(&mut files).await);

        // Not at once, as `ln -sf` does it.
        std::fs::create_dir(at("..3")).unwrap();
        std::fs::write(at("..3").join("anchors.pem"), "two").unwrap();
        std::fs::remove_file(at("..data")).unwrap();
        assert!(changed(&mut files).await, "the link is gone");
        symlink("..3", at("..data")).unwrap();
        assert!(changed(&mut files).await, "the same content elsewhere");
        assert!(!changed(&mut files).await);
    }

    #[tokio::test]
    async fn a_file_that_is_being_written_waits_until_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchors.pem");
        std::fs::write(&path, "").unwrap();
        let mut files = watch(&path);
        changed(&mut files).await;
        for part in 1..5 {
            std::fs::write(&path, "x".repeat(part)).unwrap();
            assert!(!files.have_changed().await, "part {part}");
        }
        assert!(files.have_changed().await);
    }

    #[tokio::test]
    async fn sources_without_files_never_change() {
        let source: Source = "ssm:/anchors".parse().unwrap();
        let mut files = WatchedFiles::new([&source]);
        assert!(!changed(&mut files).await);
    }
}
