//! The link `latest` in a folder of results directories, which leads to the one that was finished last.

use std::{io, path::Path};

/// Lets `latest` beside `dir` lead to it. Where something else than a link has that name, and on systems without symbolic
/// links for everybody, nothing is done.
///
/// # Errors
///
/// The link cannot be made.
#[cfg(unix)]
pub fn point_latest(dir: &Path) -> io::Result<()> {
    use std::fs;

    use crate::disk;

    let (Some(name), Some(folder)) = (dir.file_name(), dir.parent()) else { return Ok(()) };
    let latest = folder.join("latest");
    match fs::symlink_metadata(&latest) {
        Ok(found) if !found.is_symlink() => return Ok(()),
        Ok(_) if fs::read_link(&latest)? == Path::new(name) => return Ok(()),
        _ => {}
    }
    // One step, so that there is always a link where there was one; its own name, since others may do the same.
    let new = folder.join(format!(".latest-{}", std::process::id()));
    disk::remove_file(&new)?;
    disk::link(Path::new(name), &new)?;
    disk::rename(&new, &latest)
}

/// Does nothing: links are not for everybody on this system.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn point_latest(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn latest_leads_to_the_last_one_and_takes_the_place_of_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b", "b"] {
            point_latest(&dir.path().join(name)).unwrap();
            assert_eq!(fs::read_link(dir.path().join("latest")).unwrap(), Path::new(name));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::remove_file(dir.path().join("latest")).unwrap();
        fs::write(dir.path().join("latest"), "mine").unwrap();
        point_latest(&dir.path().join("c")).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("latest")).unwrap(), "mine");
    }
}
