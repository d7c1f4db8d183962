//! Roles of functions, and the policies that they have.

use std::collections::BTreeSet;

use super::identity::id;
use super::{Deployment, Function, Grant};
use crate::doctor::text;

/// Role, or a function of SAM, which has one of its own.
#[derive(Clone, Debug)]
pub(in crate::doctor) struct Role {
    pub(in crate::doctor) name: String,
    /// Name in AWS, where it is said.
    pub(in crate::doctor) physical: Option<String>,
}

/// Policy that a role, a user or a group has, both as they are referred to.
#[derive(Clone, Debug)]
pub(in crate::doctor) struct PolicyAttachment {
    pub(in crate::doctor) owner: String,
    pub(in crate::doctor) policy: String,
}

impl Deployment {
    /// Returns the statements of the role of a function; none where the role or one of its policies
    /// is not among the files.
    pub(in crate::doctor) fn grants_of(&self, function: &Function) -> Option<Vec<&Grant>> {
        let role = self.role_id(function.role.as_deref()?);
        self.roles.iter().find(|known| known.name == role)?;
        let mut policies = BTreeSet::from([role.clone()]);
        for attachment in &self.policy_attachments {
            if self.role_id(&attachment.owner) == role {
                let policy = id(&attachment.policy);
                self.policies.get(&policy)?;
                policies.insert(policy);
            }
        }
        let grants = self.grants.iter();
        let is_of_role = |grant: &&Grant| policies.contains(&grant.to) || self.role_id(&grant.to) == role;
        Some(grants.filter(is_of_role).collect())
    }

    /// Returns the functions whose roles have a statement; none where another owner has it too, or
    /// no role.
    pub(in crate::doctor) fn holders_of(&self, grant: &Grant) -> Option<Vec<&Function>> {
        let attachments = self.policy_attachments.iter();
        let attached = attachments.filter(|attachment| id(&attachment.policy) == grant.to);
        let mut owners: BTreeSet<String> = attached
            .map(|attachment| self.role_id(&attachment.owner))
            .collect();
        let owner = self.role_id(&grant.to);
        if self.roles.iter().any(|role| role.name == owner) {
            owners.insert(owner);
        }
        let mut holders = Vec::new();
        for owner in &owners {
            let before = holders.len();
            holders.extend(self.functions.iter().filter(|function| {
                let role = function.role.as_deref();
                role.is_some_and(|role| self.role_id(role) == *owner)
            }));
            if holders.len() == before {
                return None;
            }
        }
        (!owners.is_empty()).then_some(holders)
    }

    /// Returns the id of the role that a text refers to, or the text itself where it is unknown.
    fn role_id(&self, reference: &str) -> String {
        let name = id(reference);
        let is_attribute = text::inner(reference).is_some_and(|inner| inner.contains('.'));
        if is_attribute && self.function(&name).is_some() {
            // A function has no attribute that is a role.
            return reference.to_owned();
        }
        let physical = name.rsplit('/').next().unwrap_or(&name);
        // The id that SAM gives to the role that it makes for a function.
        let of_sam = name
            .strip_suffix("Role")
            .filter(|name| self.function(name).is_some());
        let is_named = |role: &&Role| role.name == name || role.physical.as_deref() == Some(physical);
        let is_of_sam = |role: &&Role| Some(role.name.as_str()) == of_sam;
        let role = self
            .roles
            .iter()
            .find(is_named)
            .or_else(|| self.roles.iter().find(is_of_sam));
        role.map_or_else(|| name.clone(), |role| role.name.clone())
    }
}
