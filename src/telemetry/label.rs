//! The values that labels take: enums only, so that the number of series is known when the program is built.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// Declares an enum of label values: each variant with its text and its meaning.
macro_rules! label_values {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The text in the exposition.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                self.as_str().encode(encoder)
            }
        }
    };
}

label_values! {
    /// The door through which a request came.
    Surface {
        /// SubjectAccessReviews of API servers: `/authorize`.
        Authorize = "authorize",
        /// Admission of content: `/admit`.
        Admit = "admit",
        /// Admission of our own objects: `/admit-iam`.
        AdmitIam = "admit-iam",
    }
}

label_values! {
    /// The mode in which a decision was answered.
    Mode {
        /// Recorded only.
        Shadow = "Shadow",
        /// Enforced beside other authorizers.
        Coexist = "Coexist",
        /// Enforced alone.
        Authoritative = "Authoritative",
    }
}

label_values! {
    /// What was decided.
    Decision {
        /// Allowed.
        Allow = "Allow",
        /// A Deny matched.
        ExplicitDeny = "ExplicitDeny",
        /// No Allow matched, or a limit refused.
        ImplicitDeny = "ImplicitDeny",
    }
}

label_values! {
    /// The layer that decided.
    Layer {
        /// None: no statement decided.
        None = "none",
        /// Policies attached to the principal.
        Identity = "identity",
        /// Policies attached to the resource.
        Resource = "resource",
        /// The permissions boundary.
        Boundary = "boundary",
        /// The session policy.
        Session = "session",
        /// Guardrails on principals.
        Scp = "scp",
        /// Guardrails on resources.
        Rcp = "rcp",
        /// The trust policy of a role.
        Trust = "trust",
        /// Root of an account.
        Root = "root",
    }
}

label_values! {
    /// A kind of object that worlds are made of.
    Kind {
        /// `IamUser`.
        IamUser = "IamUser",
        /// `IamGroup`.
        IamGroup = "IamGroup",
        /// `IamRole`.
        IamRole = "IamRole",
        /// `IamPolicy`.
        IamPolicy = "IamPolicy",
        /// `Namespace`.
        Namespace = "Namespace",
        /// `CustomResourceDefinition`.
        CustomResourceDefinition = "CustomResourceDefinition",
        /// `APIService`.
        ApiService = "APIService",
        /// A manifest that is no object: unreadable file or folder, unknown kind.
        Manifest = "Manifest",
    }
}

label_values! {
    /// Why a request was refused without a decision.
    FailClosed {
        /// No snapshot has been published yet.
        NotReady = "not_ready",
        /// The snapshot is older than its bound.
        Stale = "stale",
        /// The request could not be read.
        Malformed = "malformed",
        /// The evaluation panicked.
        Panic = "panic",
        /// The evaluation spent its budget.
        Budget = "budget",
        /// The API server did not say who may make a reserved change.
        Unanswered = "unanswered",
    }
}

label_values! {
    /// What the operator writes.
    WriteTarget {
        /// The status of an object.
        Status = "status",
        /// The finalizer of an object.
        Finalizer = "finalizer",
        /// An event.
        Event = "event",
        /// The `caBundle` of our registration.
        CaBundle = "ca_bundle",
    }
}

label_values! {
    /// What became of a write.
    WriteResult {
        /// It was done.
        Written = "written",
        /// The object was another by then, or gone.
        Overtaken = "overtaken",
        /// It was refused, or there was no answer.
        Failed = "failed",
    }
}

/// One label, `surface`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SurfaceLabel {
    /// The door.
    pub surface: Surface,
}

/// One label, `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabel {
    /// The kind of object.
    pub kind: Kind,
}

/// One label, `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailClosedLabel {
    /// Why.
    pub reason: FailClosed,
}

/// The labels of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WriteLabels {
    /// What was written.
    pub target: WriteTarget,
    /// What became of it.
    pub result: WriteResult,
}

/// The labels of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DecisionLabels {
    /// The door.
    pub surface: Surface,
    /// The mode.
    pub mode: Mode,
    /// The decision.
    pub decision: Decision,
    /// The deciding layer.
    pub layer: Layer,
}

/// One label, `digest`: the one text that is no enum; a single series has it at any time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DigestLabel {
    pub(super) digest: String,
}
