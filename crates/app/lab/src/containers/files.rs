//! A container's file system: a map in memory, gone with its pod.

use std::collections::BTreeMap;

use bytes::Bytes;

/// What a container may keep, all files together.
const ROOM: usize = 64 << 20;
/// How many files, folders and links there may be.
const NODES: usize = 10_000;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Folder,
    File { bytes: Vec<u8>, mode: u32, modified: i64 },
}

/// Why a path cannot be used, in the words of `strerror`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("No such file or directory")]
    NotFound,
    #[error("Is a directory")]
    IsFolder,
    #[error("Not a directory")]
    NotFolder,
    #[error("File exists")]
    Exists,
    #[error("Directory not empty")]
    NotEmpty,
    #[error("No space left on device")]
    Full,
}

/// Files by absolute path, without a slash at the end; the root is the empty path.
#[derive(Debug)]
pub(crate) struct Files {
    nodes: BTreeMap<String, Node>,
    used: usize,
}

impl Default for Files {
    fn default() -> Self {
        let mut files = Self { nodes: BTreeMap::from([(String::new(), Node::Folder)]), used: 0 };
        for folder in ["/bin", "/dev", "/etc", "/home", "/proc", "/root", "/tmp", "/usr", "/var"] {
            files.nodes.insert(folder.to_owned(), Node::Folder);
        }
        files
    }
}

/// `path` as seen from the folder `at`: absolute, without `.`, `..` and empty parts.
pub(crate) fn resolve(at: &str, path: &str) -> String {
    let mut parts: Vec<&str> = if path.starts_with('/') { Vec::new() } else { at.split('/').collect() };
    parts.retain(|part| !part.is_empty());
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.iter().flat_map(|part| ["/", part]).collect()
}

/// The folder that a path lies in, and its last part.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl Files {
    pub(crate) fn get(&self, path: &str) -> Result<&Node, Wrong> {
        self.nodes.get(path).ok_or(Wrong::NotFound)
    }

    pub(crate) fn read(&self, path: &str) -> Result<Bytes, Wrong> {
        match self.get(path)? {
            Node::Folder => Err(Wrong::IsFolder),
            Node::File { bytes, .. } => Ok(Bytes::copy_from_slice(bytes)),
        }
    }

    /// Everything below a folder with its path, parents before children.
    pub(crate) fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        // `.` and `-` sort before the slash, so that neighbours may come between.
        self.nodes
            .range(path.to_owned()..)
            .take_while(move |(at, _)| at.starts_with(path))
            .filter(move |(at, _)| at.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
            .map(|(at, node)| (at.as_str(), node))
    }

    /// The names in a folder, in order.
    pub(crate) fn names<'a>(&'a self, path: &'a str) -> Result<Vec<&'a str>, Wrong> {
        match self.get(path)? {
            Node::File { .. } => Err(Wrong::NotFolder),
            Node::Folder => Ok(self
                .below(path)
                .filter(|(at, _)| split(at).0 == path)
                .map(|(at, _)| split(at).1)
                .collect()),
        }
    }

    fn room_for(&mut self, path: &str, more: usize) -> Result<(), Wrong> {
        match self.nodes.get(split(path).0) {
            None => return Err(Wrong::NotFound),
            Some(Node::File { .. }) => return Err(Wrong::NotFolder),
            Some(Node::Folder) => {}
        }
        let is_new = !self.nodes.contains_key(path);
        if self.used.saturating_add(more) > ROOM || is_new && self.nodes.len() >= NODES {
            return Err(Wrong::Full);
        }
        Ok(())
    }

    /// Makes a file anew, or empties it.
    pub(crate) fn create(&mut self, path: &str, mode: u32, now: i64) -> Result<(), Wrong> {
        self.room_for(path, 0)?;
        match self.nodes.get_mut(path) {
            Some(Node::Folder) => return Err(Wrong::IsFolder),
            Some(Node::File { bytes, modified, .. }) => {
                self.used = self.used.saturating_sub(bytes.len());
                bytes.clear();
                *modified = now;
            }
            None => {
                let file = Node::File { bytes: Vec::new(), mode, modified: now };
                drop(self.nodes.insert(path.to_owned(), file));
            }
        }
        Ok(())
    }

    /// Writes behind what is there; the file is made if there is none.
    pub(crate) fn append(&mut self, path: &str, more: &[u8], now: i64) -> Result<(), Wrong> {
        self.room_for(path, more.len())?;
        if !self.nodes.contains_key(path) {
            self.create(path, 0o644, now)?;
        }
        match self.nodes.get_mut(path) {
            Some(Node::File { bytes, modified, .. }) => {
                bytes.extend_from_slice(more);
                *modified = now;
                self.used = self.used.saturating_add(more.len());
                Ok(())
            }
            _ => Err(Wrong::IsFolder),
        }
    }

    /// Makes a folder; one that is there is in the way.
    pub(crate) fn make_folder(&mut self, path: &str) -> Result<(), Wrong> {
        if self.nodes.contains_key(path) {
            return Err(Wrong::Exists);
        }
        self.room_for(path, 0)?;
        self.nodes.insert(path.to_owned(), Node::Folder);
        Ok(())
    }

    /// Makes a folder and those it lies in, as far as they are missing.
    pub(crate) fn make_folders(&mut self, path: &str) -> Result<(), Wrong> {
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
        for parent in ends.filter_map(|end| path.get(..end)).filter(|parent| !parent.is_empty()) {
            match self.nodes.get(parent) {
                Some(Node::Folder) => {}
                Some(Node::File { .. }) => return Err(Wrong::NotFolder),
                None => self.make_folder(parent)?,
            }
        }
        Ok(())
    }

    /// Puts a file where it belongs, with the folders it needs: what mounts do.
    pub(crate) fn place(&mut self, path: &str, content: &[u8], now: i64) -> Result<(), Wrong> {
        self.make_folders(split(path).0)?;
        self.create(path, 0o644, now)?;
        self.append(path, content, now)
    }

    /// Takes a file or folder away; a folder with something in it only with all of that.
    pub(crate) fn remove(&mut self, path: &str, with_all: bool) -> Result<(), Wrong> {
        if path.is_empty() {
            return Err(Wrong::NotEmpty);
        }
        if *self.get(path)? == Node::Folder && !with_all {
            if self.below(path).next().is_some() {
                return Err(Wrong::NotEmpty);
            }
            self.nodes.remove(path);
            return Ok(());
        }
        let mut gone: Vec<String> = self.below(path).map(|(at, _)| at.to_owned()).collect();
        gone.push(path.to_owned());
        for path in gone {
            if let Some(Node::File { bytes, .. }) = self.nodes.remove(&path) {
                self.used = self.used.saturating_sub(bytes.len());
            }
        }
        Ok(())
    }

    /// Sets what `chmod` sets.
    pub(crate) fn set_mode(&mut self, path: &str, wanted: u32) -> Result<(), Wrong> {
        match self.nodes.get_mut(path).ok_or(Wrong::NotFound)? {
            Node::File { mode, .. } => *mode = wanted,
            Node::Folder => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved() {
        for (at, path, expected) in [
            ("", "a", "/a"),
            ("/a", "b/../c", "/a/c"),
            ("/a", "/b//c/.", "/b/c"),
            ("/a", "../../..", ""),
            ("/a", "/", ""),
        ] {
            assert_eq!(resolve(at, path), expected, "{at} {path}");
        }
    }

    #[test]
    fn files_and_folders() {
        let mut files = Files::default();
        assert_eq!(files.append("/no/file", b"x", 0), Err(Wrong::NotFound));
        assert_eq!(files.make_folders("/tmp/a/b"), Ok(()));
        assert_eq!(files.place("/tmp/a/b/f", b"one", 1), Ok(()));
        assert_eq!(files.append("/tmp/a/b/f", b"two", 2), Ok(()));
        assert_eq!(files.place("/tmp/a-b", b"neighbour", 1), Ok(()));
        assert_eq!(files.read("/tmp/a/b/f").unwrap(), "onetwo");
        assert_eq!(files.read("/tmp/a"), Err(Wrong::IsFolder));
        assert_eq!(files.names("/tmp").unwrap(), ["a", "a-b"]);
        assert_eq!(files.make_folder("/tmp/a/b/f/g"), Err(Wrong::NotFolder));
        assert_eq!(files.remove("/tmp/a", false), Err(Wrong::NotEmpty));
        assert_eq!(files.remove("/tmp/a", true), Ok(()));
        assert_eq!(files.get("/tmp/a/b/f"), Err(Wrong::NotFound));
        assert_eq!(files.read("/tmp/a-b").unwrap(), "neighbour");
        assert_eq!(files.used, "neighbour".len());
    }

    #[test]
    fn room_is_bounded() {
        let mut files = Files::default();
        files.append("/tmp/big", &vec![0; ROOM], 0).unwrap();
        assert_eq!(files.append("/tmp/more", b"x", 0), Err(Wrong::Full));
        files.create("/tmp/big", 0o644, 0).unwrap();
        assert_eq!(files.append("/tmp/more", b"x", 0), Ok(()));
    }
}
