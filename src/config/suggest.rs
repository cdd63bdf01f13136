//! Did you mean: the known word that is nearest to what was written.
//! Knows nothing of where words stand.

/// `did you mean ...` for the nearest known word, if one is near enough.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{near}`?"))
}

/// The nearest known word, if a third of its letters at most would have to change.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is far longer than any word would only cost time.
    if word.len() > 200 {
        return None;
    }
    let (folded, bound) = (word.to_lowercase(), (word.chars().count() / 3).max(1));
    let distances = known.into_iter().map(|known| (distance(&folded, &known.to_lowercase()), known));
    distances.filter(|(distance, _)| *distance <= bound).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// `` `a`, `b` and `c` ``
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} and {last}", words.join(", ")),
        None => String::new(),
    }
}

/// Like [`listed`], with at most five words and how many more there are.
pub(super) fn some_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let more = words.len().saturating_sub(5);
    if more < 2 {
        return listed(words);
    }
    let shown: Vec<String> = words.iter().take(5).map(|word| format!("`{word}`")).collect();
    format!("{} and {more} more", shown.join(", "))
}

/// How many letters must be put in, taken out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut left = index + 1;
        let mut next = vec![left];
        for (known, above) in other.iter().zip(row.windows(2)) {
            let &[diagonal, up] = above else { continue };
            left = (diagonal + usize::from(letter != *known)).min(up + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
