//! A tree of names: hosts by their labels, paths by their segments. It knows
//! nothing of either. Each part of a name is hashed once on the way down (by
//! std's keyed hash, so that nobody outside can make parts collide), and the
//! way ends with the first part that no entry has.

use std::collections::HashMap;

/// Values at names, and at everything below names.
#[derive(Debug)]
pub(super) struct Tree<V> {
    root: Node<V>,
    /// All other nodes. They do not own each other: dropping a tree takes no
    /// stack, however long its names are.
    nodes: Vec<Node<V>>,
}

#[derive(Debug)]
struct Node<V> {
    exact: Option<V>,
    below: Option<V>,
    children: HashMap<Box<str>, usize>,
}

/// What a tree has for a name.
#[derive(Debug)]
pub(super) struct Walk<'a, V> {
    /// The value at this very name.
    pub exact: Option<&'a V>,
    /// The value for what is below this very name.
    pub below: Option<&'a V>,
    /// The value for what is below the longest shorter name.
    pub above: Option<&'a V>,
}

impl<V> Tree<V> {
    /// The place of the value at a name.
    pub fn exactly<'a>(&mut self, name: impl Iterator<Item = &'a str>) -> &mut Option<V> {
        &mut self.node(name).exact
    }

    /// The place of the value for what is below a name.
    pub fn below<'a>(&mut self, name: impl Iterator<Item = &'a str>) -> &mut Option<V> {
        &mut self.node(name).below
    }

    /// The value for everything.
    pub fn root(&self) -> Option<&V> {
        self.root.below.as_ref()
    }

    /// Looks for a name.
    pub fn walk<'a>(&self, name: impl Iterator<Item = &'a str>) -> Walk<'_, V> {
        let (mut node, mut above) = (&self.root, None);
        for part in name {
            above = node.below.as_ref().or(above);
            match node.children.get(part).and_then(|&child| self.nodes.get(child)) {
                Some(child) => node = child,
                None => return Walk { exact: None, below: None, above },
            }
        }
        Walk { exact: node.exact.as_ref(), below: node.below.as_ref(), above }
    }

    fn node<'a>(&mut self, name: impl Iterator<Item = &'a str>) -> &mut Node<V> {
        let mut at = None;
        for part in name {
            let new = self.nodes.len();
            let node = at.and_then(|at| self.nodes.get_mut(at)).unwrap_or(&mut self.root);
            let child = *node.children.entry(part.into()).or_insert(new);
            if child == new {
                self.nodes.push(Node::default());
            }
            at = Some(child);
        }
        at.and_then(|at| self.nodes.get_mut(at)).unwrap_or(&mut self.root)
    }
}

impl<V> Default for Tree<V> {
    fn default() -> Self {
        Tree { root: Node::default(), nodes: Vec::new() }
    }
}

impl<V> Default for Node<V> {
    fn default() -> Self {
        Node { exact: None, below: None, children: HashMap::new() }
    }
}
