//! Mistakes that one could make about RBAC.

/// A mistake, planted in the naive reading. Comparing the engine with a reading that makes it differs
/// exactly where comparing an engine that makes it with the right reading would: whoever notices the
/// one notices the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// `*` in resourceNames means every name.
    StarInResourceNames,
    /// An empty string in resourceNames means every name.
    EmptyResourceName,
    /// resourceNames does not limit requests without a name.
    NamelessRequests,
    /// resourceNames limits paths as well.
    ResourceNamesLimitPaths,
    /// `pods/*` covers every subresource of pods.
    SubresourceStar,
    /// `pods` covers its subresources.
    ResourceCoversSubresources,
    /// `*/log` covers nothing.
    StarSlashIsPlain,
    /// `*` covers resources, but not their subresources.
    StarWithoutSubresources,
    /// API groups are not looked at.
    ApiGroupDropped,
    /// The verb `*` is a plain word.
    StarVerbIsPlain,
    /// A rule about resources covers paths too.
    ResourcesCoverPaths,
    /// `/x/*` covers `/x`.
    PrefixWithoutSlash,
    /// Only one star at the end of a path is dropped.
    OneStarDropped,
    /// A star in the middle of a path matches anything.
    StarInsidePath,
    /// RoleBindings grant in every namespace.
    BindingNamespaceDropped,
    /// A Role of that name is taken from any namespace.
    RoleNamespaceDropped,
    /// A ClusterRoleBinding may grant a Role.
    RoleForTheCluster,
    /// Role and ClusterRole are one kind.
    RoleKindDropped,
    /// The subject `*` is everybody.
    StarSubject,
    /// Users and groups of one name are the same.
    SubjectKindDropped,
    /// Service accounts are known by their name alone.
    AccountNamespaceDropped,
    /// A service account without a namespace is nobody, in a RoleBinding too.
    AccountNamespaceRequired,
    /// Only the first subject of a binding counts.
    FirstSubjectOnly,
    /// Only the first group of a user counts.
    FirstGroupOnly,
    /// Only the first rule of a role counts.
    FirstRuleOnly,
    /// Reasons name the last subject that means the user.
    LastSubjectNamed,
    /// A role that is missing is not told of.
    MissingRoleIsSilent,
    /// A binding that is removed stays in force.
    RemovedBindingStays,
    /// A binding that is replaced stays as it was.
    ReplacedBindingStays,
    /// A role that is removed stays in force.
    RemovedRoleStays,
    /// A role that is replaced stays as it was.
    ReplacedRoleStays,
    /// A role that comes after the bindings to it is not noticed.
    LateRoleUnnoticed,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 32] = [
        Self::StarInResourceNames,
        Self::EmptyResourceName,
        Self::NamelessRequests,
        Self::ResourceNamesLimitPaths,
        Self::SubresourceStar,
        Self::ResourceCoversSubresources,
        Self::StarSlashIsPlain,
        Self::StarWithoutSubresources,
        Self::ApiGroupDropped,
        Self::StarVerbIsPlain,
        Self::ResourcesCoverPaths,
        Self::PrefixWithoutSlash,
        Self::OneStarDropped,
        Self::StarInsidePath,
        Self::BindingNamespaceDropped,
        Self::RoleNamespaceDropped,
        Self::RoleForTheCluster,
        Self::RoleKindDropped,
        Self::StarSubject,
        Self::SubjectKindDropped,
        Self::AccountNamespaceDropped,
        Self::AccountNamespaceRequired,
        Self::FirstSubjectOnly,
        Self::FirstGroupOnly,
        Self::FirstRuleOnly,
        Self::LastSubjectNamed,
        Self::MissingRoleIsSilent,
        Self::RemovedBindingStays,
        Self::ReplacedBindingStays,
        Self::RemovedRoleStays,
        Self::ReplacedRoleStays,
        Self::LateRoleUnnoticed,
    ];
}
