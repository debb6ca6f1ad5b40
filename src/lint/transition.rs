//! Privilege transitions: permissions that lead to more power than they name (`kubernetes-contract.md` B11).

/// One of them.
#[derive(Debug)]
pub(super) struct Transition {
    /// Any of these actions; one that ends with `/` stands for all that begin so.
    pub(super) actions: &'static [&'static str],
    /// On any of these.
    pub(super) places: &'static [Place],
    /// What one can do.
    pub(super) what: &'static str,
    /// Why that is power.
    pub(super) why: &'static str,
}

/// A set of resources.
#[derive(Debug)]
pub(super) enum Place {
    /// Whatever Kubernetes has.
    Anything,
    /// ARNs of one kind, in this cluster.
    Kind {
        /// The service slot.
        service: &'static str,
        /// The account slot.
        owner: Owner,
        /// How the resource part begins, `pods/`; without a `/` at its end the whole of it, `root`.
        begin: &'static str,
    },
}

/// The account slot of a set of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Any account.
    Anyone,
    /// None: cluster-scoped.
    Nobody,
    /// The management account.
    Management,
    /// This namespace.
    Namespace(&'static str),
}

/// Whatever changes something.
const WRITE: &[&str] = &["k8s:create", "k8s:update", "k8s:patch", "k8s:delete", "k8s:deletecollection"];
/// Whatever puts something there.
const CHANGE: &[&str] = &["k8s:create", "k8s:update", "k8s:patch"];

const fn namespaced(service: &'static str, begin: &'static str) -> Place {
    Place::Kind { service, owner: Owner::Anyone, begin }
}

const fn cluster(service: &'static str, begin: &'static str) -> Place {
    Place::Kind { service, owner: Owner::Nobody, begin }
}

const fn management(service: &'static str, begin: &'static str) -> Place {
    Place::Kind { service, owner: Owner::Management, begin }
}

const fn in_kube_system(service: &'static str, begin: &'static str) -> Place {
    Place::Kind { service, owner: Owner::Namespace("kube-system"), begin }
}

const ROLE: Place = namespaced("iam", "role/");
const PODS: Place = namespaced("core", "pods/");
const ADMISSION: &str = "admissionregistration.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const OURS: &str = "kube-iam.dev";

// === impl Place ===

impl Place {
    /// Whether these are IamRoles.
    pub(super) fn is_role(&self) -> bool {
        matches!(self, Self::Kind { service: "iam", begin: "role/", .. })
    }
}

/// All of them. Those that come first are named first where a statement reaches many.
pub(super) const TRANSITIONS: &[Transition] = &[
    Transition {
        actions: CHANGE,
        places: &[PODS],
        what: "create or change pods",
        why: "uses any ServiceAccount, mounts any Secret there",
    },
    Transition {
        actions: CHANGE,
        places: &[
            namespaced("core", "replicationcontrollers/"),
            namespaced("apps", "daemonsets/"),
            namespaced("apps", "deployments/"),
            namespaced("apps", "replicasets/"),
            namespaced("apps", "statefulsets/"),
            namespaced("batch", "cronjobs/"),
            namespaced("batch", "jobs/"),
        ],
        what: "run workloads",
        why: "uses any ServiceAccount, mounts any Secret there",
    },
    Transition {
        actions: &["k8s:update/ephemeralcontainers", "k8s:patch/ephemeralcontainers"],
        places: &[PODS],
        what: "add ephemeral containers",
        why: "runs code as the pod",
    },
    Transition {
        actions: &["k8s:get", "k8s:list", "k8s:watch"],
        places: &[namespaced("core", "secrets/")],
        what: "read Secrets",
        why: "list and watch return their contents, too",
    },
    Transition {
        actions: &["k8s:create/token"],
        places: &[namespaced("core", "serviceaccounts/")],
        what: "mint ServiceAccount tokens",
        why: "they outlive a temporary grant",
    },
    Transition {
        actions: &["k8s:get/exec", "k8s:create/exec"],
        places: &[PODS],
        what: "exec into pods",
        why: "runs code as the pod, with a get as well",
    },
    Transition {
        actions: &["k8s:get/attach", "k8s:create/attach"],
        places: &[PODS],
        what: "attach to pods",
        why: "types into what runs, with a get as well",
    },
    Transition {
        actions: &["k8s:get/portforward", "k8s:create/portforward"],
        places: &[PODS],
        what: "forward ports of pods",
        why: "reaches what listens there, with a get as well",
    },
    Transition {
        actions: &["k8s:get/proxy", "k8s:create/proxy", "k8s:update/proxy", "k8s:patch/proxy", "k8s:delete/proxy"],
        places: &[PODS, namespaced("core", "services/")],
        what: "proxy to pods and services",
        why: "a get writes, and nothing checks it again",
    },
    Transition {
        actions: &["sts:AssumeRole"],
        places: &[ROLE],
        what: "assume roles",
        why: "acts with all that the role may do",
    },
    Transition {
        actions: &["iam:PassRole"],
        places: &[ROLE, namespaced("iam", "user/")],
        what: "pass roles",
        why: "hands their power to workloads",
    },
    Transition {
        actions: &["iam:MapIdentity"],
        places: &[namespaced("iam", "user/")],
        what: "map identities",
        why: "hands a user's power to another identity",
    },
    Transition {
        actions: &["iam:MapExternalGroup"],
        places: &[namespaced("iam", "group/")],
        what: "map external groups",
        why: "hands a group's power to all its members",
    },
    Transition {
        actions: &["iam:SetRootIdentity"],
        places: &[namespaced("iam", "root")],
        what: "set the root of accounts",
        why: "hands a whole account to an identity",
    },
    Transition {
        actions: WRITE,
        places: &[
            namespaced(OURS, "iamgroups/"),
            namespaced(OURS, "iampolicies/"),
            namespaced(OURS, "iamroles/"),
            namespaced(OURS, "iamusers/"),
        ],
        what: "write IAM objects",
        why: "grants anything, or removes the Denies",
    },
    Transition {
        actions: &["k8s:watch"],
        places: &[
            namespaced(OURS, "iamgroups/"),
            namespaced(OURS, "iampolicies/"),
            namespaced(OURS, "iamroles/"),
            namespaced(OURS, "iamusers/"),
        ],
        what: "watch IAM objects",
        why: "shows where power lies",
    },
    Transition {
        actions: &["k8s:escalate"],
        places: &[namespaced(RBAC, "roles/"), cluster(RBAC, "clusterroles/")],
        what: "escalate RBAC roles",
        why: "RBAC grows without limit",
    },
    Transition {
        actions: &["k8s:bind"],
        places: &[namespaced(RBAC, "roles/"), cluster(RBAC, "clusterroles/")],
        what: "bind RBAC roles",
        why: "RBAC grows without limit",
    },
    Transition {
        actions: WRITE,
        places: &[namespaced(RBAC, "rolebindings/"), cluster(RBAC, "clusterrolebindings/")],
        what: "write RBAC bindings",
        why: "RBAC grows without limit",
    },
    Transition {
        actions: CHANGE,
        places: &[namespaced("discovery.k8s.io", "endpointslices/"), namespaced("core", "endpoints/")],
        what: "write endpoints",
        why: "redirects traffic",
    },
    Transition {
        actions: &["k8s:create", "k8s:update", "k8s:patch", "k8s:update/status", "k8s:patch/status"],
        places: &[namespaced("core", "services/")],
        what: "write services",
        why: "external IPs redirect traffic",
    },
    Transition {
        actions: &["sts:ImpersonateUser"],
        places: &[cluster(AUTHENTICATION, "users/")],
        what: "impersonate users",
        why: "becomes another",
    },
    Transition {
        actions: &["sts:ImpersonateGroup"],
        places: &[cluster(AUTHENTICATION, "groups/")],
        what: "impersonate groups",
        why: "without names that is cluster-admin",
    },
    Transition {
        actions: &["sts:ImpersonateServiceAccount"],
        places: &[namespaced("core", "serviceaccounts/")],
        what: "impersonate ServiceAccounts",
        why: "becomes another",
    },
    Transition {
        actions: &["sts:ImpersonateNode"],
        places: &[cluster("core", "nodes/")],
        what: "impersonate nodes",
        why: "becomes another, with the Secrets of its pods",
    },
    Transition {
        actions: &["sts:ActOnBehalf/"],
        places: &[Place::Anything],
        what: "act on behalf of others",
        why: "becomes another for what it names",
    },
    Transition {
        actions: &["sts:TagSession"],
        places: &[cluster(AUTHENTICATION, "userextras/"), ROLE],
        what: "tag sessions",
        why: "forges what policies ask of a session",
    },
    Transition {
        actions: &["sts:SetSourceIdentity"],
        places: &[cluster(AUTHENTICATION, "uids/"), ROLE],
        what: "set source identities",
        why: "forges who is seen behind a session",
    },
    Transition {
        actions: &["k8s:create"],
        places: &[cluster(CERTIFICATES, "certificatesigningrequests/")],
        what: "ask for certificates",
        why: "they may carry any name",
    },
    Transition {
        actions: &["k8s:update/approval", "k8s:patch/approval"],
        places: &[cluster(CERTIFICATES, "certificatesigningrequests/")],
        what: "approve certificates",
        why: "they may carry any name",
    },
    Transition {
        actions: &["k8s:approve", "k8s:sign", "k8s:attest"],
        places: &[cluster(CERTIFICATES, "signers/")],
        what: "sign certificates",
        why: "they may carry any name",
    },
    Transition {
        actions: &["k8s:get/proxy", "k8s:create/proxy", "k8s:update/proxy", "k8s:patch/proxy", "k8s:delete/proxy"],
        places: &[cluster("core", "nodes/")],
        what: "proxy to nodes",
        why: "exec through the kubelet, past audit and admission",
    },
    Transition {
        actions: WRITE,
        places: &[
            cluster(ADMISSION, "validatingwebhookconfigurations/"),
            cluster(ADMISSION, "mutatingwebhookconfigurations/"),
        ],
        what: "write webhook registrations",
        why: "reads or changes everything, or stops the cluster",
    },
    Transition {
        actions: WRITE,
        places: &[
            cluster(ADMISSION, "validatingadmissionpolicies/"),
            cluster(ADMISSION, "validatingadmissionpolicybindings/"),
            cluster(ADMISSION, "mutatingadmissionpolicies/"),
            cluster(ADMISSION, "mutatingadmissionpolicybindings/"),
        ],
        what: "write admission policies",
        why: "changes everything, or stops the cluster",
    },
    Transition {
        actions: &[
            "k8s:update",
            "k8s:patch",
            "k8s:update/status",
            "k8s:patch/status",
            "k8s:update/finalize",
            "k8s:patch/finalize",
        ],
        places: &[cluster("core", "namespaces/")],
        what: "change namespaces",
        why: "labels drive guardrails and pod security",
    },
    Transition {
        actions: &["k8s:create"],
        places: &[cluster("core", "persistentvolumes/")],
        what: "create PersistentVolumes",
        why: "a hostPath is the node's disk",
    },
    Transition {
        actions: WRITE,
        places: &[cluster("apiextensions.k8s.io", "customresourcedefinitions/")],
        what: "write CRDs",
        why: "changes scope and schema of IAM's own kinds",
    },
    Transition {
        actions: WRITE,
        places: &[cluster("apiregistration.k8s.io", "apiservices/")],
        what: "write APIServices",
        why: "routes whole API groups elsewhere",
    },
    Transition {
        actions: &["k8s:create", "k8s:update", "k8s:patch", "k8s:update/status", "k8s:patch/status"],
        places: &[cluster("core", "nodes/")],
        what: "write nodes",
        why: "redirects pods and traffic",
    },
    Transition {
        actions: &[
            "k8s:create",
            "k8s:update",
            "k8s:patch",
            "k8s:delete",
            "k8s:deletecollection",
            "k8s:update/scale",
            "k8s:patch/scale",
        ],
        places: &[
            management("apps", "daemonsets/"),
            management("apps", "deployments/"),
            management("coordination.k8s.io", "leases/"),
            management("core", "configmaps/"),
            management("core", "secrets/"),
        ],
        what: "change kube-iam itself",
        why: "takes its leadership or its CA, or stops it",
    },
    Transition {
        actions: &[
            "k8s:create",
            "k8s:update",
            "k8s:patch",
            "k8s:get/exec",
            "k8s:create/exec",
            "k8s:get/attach",
            "k8s:create/attach",
            "k8s:update/ephemeralcontainers",
            "k8s:patch/ephemeralcontainers",
        ],
        places: &[in_kube_system("core", "pods/")],
        what: "enter pods of kube-system",
        why: "identities there are exempt from policies",
    },
    Transition {
        actions: &["k8s:unsafe-delete-ignore-read-errors"],
        places: &[Place::Anything],
        what: "delete what is unreadable",
        why: "skips finalizers and admission",
    },
];
