//! Doing what a plan says, for one object.

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt as _};
use serde_json::{Value, json};

use super::agenda::Work;
use super::call::{Refusal, RefusalKind, call};
use super::event;
use super::queue::Done;
use super::replicas::ReplicaId;
use super::run::FIELD_MANAGER;
use crate::api::v1alpha1::{GROUP, IamGroup, IamPolicy, IamRole, IamUser, VERSION};
use crate::plan::{IN_USE, Status, Step};
use crate::store::Entry;
use crate::telemetry::Metrics;
use crate::telemetry::label::{WriteResult, WriteTarget};
use crate::world::Kind;

/// The field manager of the finalizer.
const FINALIZER_MANAGER: &str = "kube-iam-finalizer";

/// Who does it.
pub(super) struct Performer<'a> {
    pub client: &'a Client,
    pub id: &'a ReplicaId,
    pub metrics: &'a Metrics,
}

/// One object while steps are done.
struct Subject<'a> {
    entry: &'a Entry,
    objects: Api<DynamicObject>,
    /// Its version after what was done so far: each write is refused if somebody else was there meanwhile.
    version: u64,
}

// === impl Performer ===

impl Performer<'_> {
    /// Does the steps in order, up to the first that is refused.
    pub(super) async fn perform(&self, work: &Work) -> Done {
        let Work { entry, steps, fingerprint } = work;
        let key = &entry.object.key;
        let objects = Api::namespaced_with(self.client.clone(), &key.account, &resource(key.kind));
        let mut subject = Subject { entry, objects, version: entry.version };
        let (mut wrote_status, mut set_finalizer) = (false, false);
        for step in steps {
            let (target, result) = match step {
                Step::AddFinalizer => {
                    let result = subject.add_finalizer().await;
                    set_finalizer |= result.is_ok();
                    (WriteTarget::Finalizer, result)
                }
                Step::RemoveFinalizer => (WriteTarget::Finalizer, subject.remove_finalizer().await),
                Step::WriteStatus { status, .. } => {
                    let result = subject.write_status(status).await;
                    wrote_status |= result.is_ok();
                    (WriteTarget::Status, result)
                }
                Step::Event(event) => {
                    let now = Timestamp::now();
                    let event = event::warning(key, entry.object.uid.as_ref(), event, now, self.id);
                    let events: Api<Event> = Api::namespaced(self.client.clone(), &key.account);
                    let result = call(events.create(&PostParams::default(), &event)).await.map(drop);
                    self.metrics.write(WriteTarget::Event, label(&result));
                    if let Err(refusal) = result {
                        // A namespace that is being deleted takes no events. None is worth another try.
                        tracing::debug!(object = %key, %refusal, "cannot write an event");
                    }
                    continue;
                }
            };
            self.metrics.write(target, label(&result));
            if let Err(refusal) = result {
                match refusal.kind {
                    RefusalKind::Conflict | RefusalKind::Gone => {
                        tracing::debug!(object = %key, %refusal, "the object is another by now");
                    }
                    _ => tracing::warn!(object = %key, %refusal, ?target, "cannot write"),
                }
                return Done::Refused(refusal.kind);
            }
        }
        let fingerprint = (*fingerprint).filter(|_| wrote_status);
        Done::Wrote { version: subject.version, fingerprint, finalizer: set_finalizer }
    }
}

// === impl Subject ===

impl Subject<'_> {
    async fn write_status(&mut self, status: &Status) -> Result<(), Refusal> {
        let mut body = self.body();
        if let (Some(body), Ok(status)) = (body.as_object_mut(), serde_json::to_value(status)) {
            body.insert("status".to_owned(), status);
        }
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let name = &self.entry.object.key.name;
        let written = call(self.objects.patch_status(name, &parameters, &Patch::Apply(&body))).await?;
        self.wrote(&written);
        Ok(())
    }

    async fn add_finalizer(&mut self) -> Result<(), Refusal> {
        let mut body = self.body();
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("finalizers".to_owned(), json!([IN_USE]));
        }
        let parameters = PatchParams::apply(FINALIZER_MANAGER).force();
        let name = &self.entry.object.key.name;
        let written = call(self.objects.patch(name, &parameters, &Patch::Apply(&body))).await?;
        self.wrote(&written);
        Ok(())
    }

    /// Takes the finalizer off whoever else owns it too, as one does who replaced the object with what they had got:
    /// applying a list without it would leave it to them.
    async fn remove_finalizer(&mut self) -> Result<(), Refusal> {
        let kept: Vec<&str> =
            self.entry.finalizers.iter().map(|finalizer| finalizer.as_str()).filter(|name| *name != IN_USE).collect();
        let mut body = self.body();
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("finalizers".to_owned(), json!(kept));
        }
        let parameters = PatchParams { field_manager: Some(FINALIZER_MANAGER.to_owned()), ..PatchParams::default() };
        let name = &self.entry.object.key.name;
        let written = call(self.objects.patch(name, &parameters, &Patch::Merge(&body))).await?;
        self.wrote(&written);
        Ok(())
    }

    /// What names the object: the very one, in the very version, that the steps are meant for.
    fn body(&self) -> Value {
        let key = &self.entry.object.key;
        json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": key.kind.as_str(),
            "metadata": {
                "name": key.name.as_str(),
                "namespace": key.account.as_str(),
                "uid": self.entry.object.uid.as_deref(),
                "resourceVersion": self.version.to_string(),
            },
        })
    }

    fn wrote(&mut self, object: &DynamicObject) {
        if let Some(version) = object.resource_version().and_then(|version| version.parse().ok()) {
            self.version = version;
        }
    }
}

// === free functions ===

fn resource(kind: Kind) -> ApiResource {
    match kind {
        Kind::User => erased::<IamUser>(),
        Kind::Group => erased::<IamGroup>(),
        Kind::Role => erased::<IamRole>(),
        Kind::Policy => erased::<IamPolicy>(),
    }
}

fn erased<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}

/// How a write is counted.
pub(super) fn label(result: &Result<(), Refusal>) -> WriteResult {
    match result {
        Ok(()) => WriteResult::Written,
        Err(refusal) => match refusal.kind {
            RefusalKind::Conflict | RefusalKind::Gone => WriteResult::Overtaken,
            RefusalKind::TooLarge | RefusalKind::Throttled(_) | RefusalKind::Refused | RefusalKind::Unavailable => {
                WriteResult::Failed
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1alpha1;
    use crate::plan::{Condition, ConditionStatus, Finding, LastGood, Severity};

    /// A status with every field that a kind has.
    fn full(kind: Kind) -> Status {
        let spec = json!({"path": "/a/", "n": [1, 0.5, true, null]}).as_object().cloned().unwrap();
        let condition = Condition {
            kind: "Ready".into(),
            status: ConditionStatus::False,
            observed_generation: Some(3),
            last_transition_time: "2026-01-02T03:04:05Z".into(),
            reason: "PolicyInvalid".into(),
            message: "a".into(),
        };
        let mut status = Status {
            observed_generation: Some(3),
            conditions: vec![condition],
            arn: Some("arn:k8s:iam::a:user/b".into()),
            revision: Some(7),
            last_good: Some(LastGood { generation: Some(2), spec }),
            ..Status::default()
        };
        match kind {
            Kind::User => {
                status.user_id = Some("KIAU".into());
                status.group_count = Some(1);
                status.policy_count = Some(2);
                status.mfa_device_count = Some(0);
                status.access_key_count = Some(0);
            }
            Kind::Group => {
                status.group_id = Some("KIAG".into());
                status.member_count = Some(1);
                status.policy_count = Some(2);
            }
            Kind::Role => {
                status.role_id = Some("KIAR".into());
                status.policy_count = Some(2);
                status.max_session_duration = Some("1h".into());
                status.trusted_principal_count = Some(1);
            }
            Kind::Policy => {
                status.policy_id = Some("KIAP".into());
                status.policy_type = Some("ResourceControl".into());
                status.statement_count = Some(1);
                status.attachment_count = Some(0);
                status.finding_count = Some(1);
                status.findings = vec![Finding {
                    severity: Severity::SecurityWarning,
                    path: Some("spec".into()),
                    code: "X".into(),
                    message: "m".into(),
                }];
            }
        }
        status
    }

    fn through<T: serde::Serialize + serde::de::DeserializeOwned>(status: &Status) -> Value {
        let read: T = serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
        serde_json::to_value(read).unwrap()
    }

    #[test]
    fn what_is_planned_is_what_the_definitions_describe() {
        for kind in Kind::ALL {
            let status = full(kind);
            let json = match kind {
                Kind::User => through::<v1alpha1::IamUserStatus>(&status),
                Kind::Group => through::<v1alpha1::IamGroupStatus>(&status),
                Kind::Role => through::<v1alpha1::IamRoleStatus>(&status),
                Kind::Policy => through::<v1alpha1::IamPolicyStatus>(&status),
            };
            assert_eq!(json, serde_json::to_value(&status).unwrap(), "{kind:?}");
            assert_eq!(Status::read(&json.to_string()), status, "{kind:?}");
        }
    }

    #[test]
    fn every_kind_has_its_address() {
        let plurals = Kind::ALL.map(|kind| resource(kind).plural);
        assert_eq!(plurals, ["iamusers", "iamgroups", "iamroles", "iampolicies"]);
    }
}
