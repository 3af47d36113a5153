//! Names near to one that is not known, for hints.

/// A hint that names the candidates nearest to `name`; none if all are far.
pub fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let limit = if name.chars().count() < 5 { 1 } else { 2 };
    let ranked = candidates.into_iter().map(|candidate| (distance(name, candidate), candidate));
    let near: Vec<(usize, &str)> = ranked.filter(|(distance, _)| *distance <= limit).collect();
    let nearest = near.iter().map(|(distance, _)| *distance).min()?;
    let mut names: Vec<String> = near
        .iter()
        .filter(|(distance, _)| *distance == nearest)
        .map(|(_, candidate)| format!("`{candidate}`"))
        .collect();
    names.dedup();
    Some(format!("did you mean {}?", names.join(" or ")))
}

/// How many names are told. Chosen: a line's worth.
const MOST: usize = 3;

/// The known names that somebody may have meant, the nearest first: those that differ by a character or two, and
/// those that begin with it, or with which it begins.
pub fn names<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = name.to_lowercase();
    let rank = |candidate: &str| {
        let lower = candidate.to_lowercase();
        let distance = distance(name, candidate);
        let begins = lower.starts_with(&wanted)
            || wanted.starts_with(&lower)
            || lower.ends_with(&format!("/{wanted}"));
        (distance <= 2 || begins).then_some(distance)
    };
    let mut near: Vec<(usize, &str)> =
        known.into_iter().filter_map(|name| Some((rank(name)?, name))).collect();
    near.sort();
    near.dedup();
    near.into_iter().map(|(_, name)| name).take(MOST).collect()
}

/// How many characters must be put in, left out, replaced or swapped with their neighbour to turn
/// one text into the other; capitals do not matter.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut previous: Option<char> = None;
    for (index, from) in left.to_lowercase().chars().enumerate() {
        let mut next = vec![index + 1];
        for (column, to) in right.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut best = at(&row, column) + usize::from(from != *to);
            best = best.min(at(&row, column + 1) + 1).min(at(&next, column) + 1);
            let before = column.checked_sub(1).and_then(|column| right.get(column));
            if previous == Some(*to) && before == Some(&from) {
                best = best.min(at(&above, column - 1) + 1);
            }
            next.push(best);
        }
        above = std::mem::replace(&mut row, next);
        previous = Some(from);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        let known = ["glm-4.7", "glm-4.6", "glm-4.7-flash", "deepseek-v4-pro", "zai-org/GLM-4.7"];
        assert_eq!(names("glm-4.8", known), ["glm-4.6", "glm-4.7"]);
        assert_eq!(names("GLM-4.7", known), ["glm-4.7", "glm-4.6", "glm-4.7-flash"]);
        assert_eq!(names("glm-4.7-air", known), ["glm-4.7"]);
        assert_eq!(names("llama", known), [""; 0]);
    }
}
