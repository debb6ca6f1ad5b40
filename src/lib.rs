//! AWS-style IAM for Kubernetes.
