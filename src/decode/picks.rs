//! The paths that are wanted from a page, as a tree of field names.
//!
//! A path may end at an array of which only some paths inside each item are wanted
//! ([`Picks::with_arrays`]); items are taken by the same kind of tree, so the allow-list holds there too.

/// Which paths to take from a page: around the records, and from each record.
#[derive(Clone, Debug)]
pub struct Picks {
    pub(super) page: Node,
    pub(super) record: Node,
    pub(super) picks: usize,
    pub(super) around: usize,
    pub(super) records_at: String,
}

/// What is wanted below a field name.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) leaf: Option<Leaf>,
    pub(super) children: Vec<(Box<str>, Node)>,
}

/// What to do with the value that stands at a wanted path.
#[derive(Clone, Debug)]
pub(super) enum Leaf {
    /// Take it as the pick of this number.
    Pick(usize),
    /// Take an array as the pick of this number.
    Items(Box<Array>),
    /// It is the array of records.
    Records,
}

/// What is wanted of an array inside a record.
#[derive(Clone, Debug)]
pub(super) struct Array {
    /// The pick that it is.
    pub(super) pick: usize,
    /// The wanted paths in an item.
    pub(super) item: Node,
    /// How many they are.
    pub(super) width: usize,
}

impl Picks {
    /// Paths are JSON pointers over object keys (`/data/items`). `records` is where the array of
    /// records stands, `""` if the page is that array, `None` if the page is one record. `map` are
    /// the wanted paths in a record, `around` those outside the records.
    pub fn new(records: Option<&str>, map: &[String], around: &[String]) -> Result<Self, String> {
        let mut record = Node::default();
        for (i, path) in map.iter().enumerate() {
            record.add(path, Leaf::Pick(i))?;
        }
        let mut page = Node::default();
        if let Some(path) = records {
            page.add(path, Leaf::Records)?;
        }
        for (i, path) in around.iter().enumerate() {
            page.add(path, Leaf::Pick(i))?;
        }
        if records.is_none() && !around.is_empty() {
            return Err("a page that is one record has nothing around it".to_owned());
        }
        Ok(Self {
            page,
            record,
            picks: map.len(),
            around: around.len(),
            records_at: records.unwrap_or("").to_owned(),
        })
    }

    /// Takes some picks as arrays: for each its number and the wanted paths inside an item, `""`
    /// for the item itself.
    pub fn with_arrays(mut self, arrays: &[(usize, Vec<String>)]) -> Result<Self, String> {
        for (pick, paths) in arrays {
            let mut item = Node::default();
            for (i, path) in paths.iter().enumerate() {
                item.add(path, Leaf::Pick(i))?;
            }
            if let Some(leaf) = self.record.leaf_of(*pick) {
                *leaf = Leaf::Items(Box::new(Array { pick: *pick, item, width: paths.len() }));
            }
        }
        Ok(self)
    }

    /// Whether the page itself is the one record.
    pub(super) fn is_single(&self) -> bool {
        self.page.children.is_empty() && self.page.leaf.is_none()
    }
}

impl Node {
    fn add(&mut self, path: &str, leaf: Leaf) -> Result<(), String> {
        let mut node = self;
        if !path.is_empty() {
            let Some(names) = path.strip_prefix('/') else {
                return Err(format!("'{path}' is not a JSON pointer: it begins with '/'"));
            };
            for name in names.split('/') {
                if node.leaf.is_some() {
                    return Err(format!("'{path}' lies inside a value that is taken whole"));
                }
                let name = name.replace("~1", "/").replace("~0", "~");
                let at =
                    node.children.iter().position(|(known, _)| **known == *name).unwrap_or_else(
                        || {
                            node.children.push((name.into_boxed_str(), Self::default()));
                            node.children.len() - 1
                        },
                    );
                node = &mut node.children[at].1;
            }
        }
        if node.leaf.is_some() || !node.children.is_empty() {
            return Err(format!("'{path}' is taken twice or holds another path that is taken"));
        }
        node.leaf = Some(leaf);
        Ok(())
    }

    fn leaf_of(&mut self, pick: usize) -> Option<&mut Leaf> {
        match &mut self.leaf {
            Some(leaf @ Leaf::Pick(_)) => {
                matches!(leaf, Leaf::Pick(found) if *found == pick).then_some(leaf)
            }
            Some(_) => None,
            None => self.children.iter_mut().find_map(|(_, child)| child.leaf_of(pick)),
        }
    }

    #[inline]
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|(known, _)| **known == *name).map(|(_, node)| node)
    }
}
