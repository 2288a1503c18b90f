//! `tar`, for `kubectl cp`.

use std::io::{Cursor, Read};

use bytes::Bytes;
use tar::{Archive, Builder, EntryType, Header};

use crate::containers::{
    files::{Files, Node, resolve},
    shell::{Io, Shell},
};

/// The largest archive that is taken in.
const LARGEST: usize = 80 << 20;

pub(super) async fn tar(shell: &mut Shell, arguments: &[&str], io: &Io) -> i32 {
    let (mut mode, mut file, mut folder, mut names, mut verbose) = (None, None, None, Vec::new(), false);
    let mut rest = arguments.iter().enumerate();
    while let Some((number, argument)) = rest.next() {
        // The old style: the first argument is letters even without a dash.
        let letters = match argument.strip_prefix('-') {
            Some(long) if long.starts_with('-') => continue,
            Some(letters) => letters,
            None if number == 0 => argument,
            None => {
                names.push(*argument);
                continue;
            }
        };
        for letter in letters.chars() {
            match letter {
                'c' | 'x' | 't' => mode = Some(letter),
                'f' => file = rest.next().map(|(_, name)| *name),
                'C' => folder = rest.next().map(|(_, name)| *name),
                'v' => verbose = true,
                'z' => return io.fail("tar: compression is not implemented in the lab", 1).await,
                _ => {}
            }
        }
    }
    let folder = resolve(&shell.folder, folder.unwrap_or("."));
    let file = file.filter(|file| *file != "-");
    let found = shell.container.files().names(&folder).map(drop);
    if let Err(wrong) = found {
        return io.fail(&format!("tar: can't change directory to '{folder}': {wrong}"), 1).await;
    }
    match mode {
        Some('c') => {
            let made = pack(&shell.container.files(), &folder, &names);
            let (archive, missing) = match made {
                Ok(made) => made,
                Err(error) => return io.fail(&format!("tar: {error}"), 2).await,
            };
            let output = match file.map(|file| shell.create(file, false, io)) {
                None => Ok(io.output.clone()),
                Some(created) => created,
            };
            let written = match output {
                Ok(output) => output.write(Bytes::from(archive)).await.is_ok(),
                Err(wrong) => {
                    return io.fail(&format!("tar: {}: {wrong}", file.unwrap_or_default()), 2).await;
                }
            };
            for name in &missing {
                io.fail(&format!("tar: {name}: No such file or directory"), 2).await;
            }
            if missing.is_empty() && written { 0 } else { 2 }
        }
        Some('x' | 't') => {
            let input = match file.map(|file| shell.open(file)) {
                None => io.input.clone(),
                Some(Ok(input)) => input,
                Some(Err(wrong)) => {
                    return io.fail(&format!("tar: {}: {wrong}", file.unwrap_or_default()), 2).await;
                }
            };
            let Some(archive) = input.all(LARGEST).await else {
                return io.fail("tar: the archive is too large for the lab", 2).await;
            };
            let now = shell.container.now().as_second();
            let listed = if mode == Some('t') {
                list(&archive)
            } else {
                unpack(&mut shell.container.files(), &archive, &folder, now)
            };
            match listed {
                Ok(names) if verbose || mode == Some('t') => {
                    io.say(names.iter().map(|name| format!("{name}\n")).collect::<String>()).await
                }
                Ok(_) => 0,
                Err(error) => io.fail(&format!("tar: {error}"), 2).await,
            }
        }
        _ => io.fail("tar: one of c, x, t is needed", 2).await,
    }
}

/// An archive of what was named, and the names that are not there.
fn pack(files: &Files, folder: &str, names: &[&str]) -> std::io::Result<(Vec<u8>, Vec<String>)> {
    let mut archive = Builder::new(Vec::new());
    let mut missing = Vec::new();
    for name in names {
        let path = resolve(folder, name);
        // As tar does: names in an archive are relative.
        let shown = name.trim_start_matches('/').trim_end_matches('/');
        let shown = if shown.is_empty() { "." } else { shown };
        let Ok(node) = files.get(&path) else {
            missing.push((*name).to_owned());
            continue;
        };
        add(&mut archive, shown, node)?;
        for (at, node) in files.below(&path) {
            let inner = at.strip_prefix(&path).unwrap_or_default();
            add(&mut archive, &format!("{shown}{inner}"), node)?;
        }
    }
    Ok((archive.into_inner()?, missing))
}

fn add(archive: &mut Builder<Vec<u8>>, name: &str, node: &Node) -> std::io::Result<()> {
    let mut header = Header::new_gnu();
    match node {
        Node::Folder => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            archive.append_data(&mut header, format!("{name}/"), Cursor::new([]))
        }
        Node::File { bytes, mode, modified } => {
            header.set_entry_type(EntryType::Regular);
            header.set_mode(*mode);
            header.set_mtime(u64::try_from(*modified).unwrap_or_default());
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, name, Cursor::new(bytes))
        }
    }
}

/// Puts what an archive holds below `folder`, and says what that was.
fn unpack(files: &mut Files, archive: &[u8], folder: &str, now: i64) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    let wrong = |name: &str, wrong| std::io::Error::other(format!("{name}: {wrong}"));
    for entry in Archive::new(archive).entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        // Resolved from the root first: nothing lands outside of the folder.
        let path = format!("{folder}{}", resolve("", &name));
        match entry.header().entry_type() {
            EntryType::Directory => files.make_folders(&path).map_err(|w| wrong(&name, w))?,
            EntryType::Regular | EntryType::Continuous => {
                let mode = entry.header().mode().unwrap_or(0o644) & 0o777;
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                files.place(&path, &bytes, now).map_err(|w| wrong(&name, w))?;
                files.set_mode(&path, mode).map_err(|w| wrong(&name, w))?;
            }
            // There are no links and devices in the lab.
            _ => continue,
        }
        names.push(name);
    }
    Ok(names)
}

fn list(archive: &[u8]) -> std::io::Result<Vec<String>> {
    Archive::new(archive)
        .entries()?
        .map(|entry| Ok(String::from_utf8_lossy(&entry?.path_bytes()).into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_can_be_unpacked() {
        let mut files = Files::default();
        let long = format!("/tmp/a/{}/f", "x".repeat(150));
        files.place(&long, b"deep", 5).unwrap();
        files.place("/tmp/a/g", b"flat", 5).unwrap();
        let (archive, missing) = pack(&files, "/tmp", &["a", "no"]).unwrap();
        assert_eq!(missing, ["no"]);
        let names = unpack(&mut files, &archive, "/home", 9).unwrap();
        assert_eq!(names.first().unwrap(), "a/");
        assert_eq!(files.read(&long.replace("/tmp", "/home")).unwrap(), "deep");
        assert_eq!(files.read("/home/a/g").unwrap(), "flat");
    }

    #[test]
    fn nothing_lands_outside_of_the_folder() {
        let mut archive = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        let name = b"../../etc/passwd";
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_size(4);
        header.set_cksum();
        archive.append(&header, &b"root"[..]).unwrap();
        let mut files = Files::default();
        unpack(&mut files, &archive.into_inner().unwrap(), "/tmp", 0).unwrap();
        assert_eq!(files.read("/tmp/etc/passwd").unwrap(), "root");
        assert!(files.get("/etc/passwd").is_err());
    }

    #[test]
    fn no_archive_breaks_it() {
        let mut files = Files::default();
        for hostile in [&b"x"[..], &[0; 511], &[0xff; 1024], &[0; 2048]] {
            drop(unpack(&mut files, hostile, "/tmp", 0));
        }
        assert_eq!(files.names("/tmp").unwrap(), Vec::<&str>::new());
    }
}
