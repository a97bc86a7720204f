//! Groups that are kept for their clients: autoscaling in both versions, certificates, flow control.

use super::Served;

const CSR: &str = r#"
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: NAME}
spec:
  # -----BEGIN CERTIFICATE REQUEST-----, some DER, -----END CERTIFICATE REQUEST-----
  request: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQgotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K
  signerName: example.com/some
  usages: [client auth]
  username: somebody else
  expirationSeconds: 3600
"#;

#[test]
fn certificates_are_asked_for_and_approved() {
    let Some(served) = Served::start() else { return };
    for name in ["a", "b"] {
        let said = served.kubectl_with("create -f -", &CSR.replace("NAME", name));
        assert_eq!(
            (said.stdout.as_str(), said.stderr.as_str()),
            (
                format!("certificatesigningrequest.certificates.k8s.io/{name} created\n").as_str(),
                "Warning: podsim keeps this CertificateSigningRequest and signs nothing\n"
            )
        );
    }
    served.has(
        "get csr a --no-headers",
        &["example.com/some   kubernetes-admin   60m", "Pending"],
    );
    for (line, expected) in [
        (
            "certificate approve a",
            "certificatesigningrequest.certificates.k8s.io/a approved\n",
        ),
        (
            "certificate deny b",
            "certificatesigningrequest.certificates.k8s.io/b denied\n",
        ),
        (
            "get csr a -o jsonpath={.status.conditions[*].type},{.status.conditions[0].reason},{.spec.username}",
            "Approved,KubectlApprove,kubernetes-admin",
        ),
        (
            "patch csr a --subresource status --type merge -p {\"status\":{\"certificate\":\"LS0tLS0K\"}}",
            "certificatesigningrequest.certificates.k8s.io/a patched\n",
        ),
        ("get csr --field-selector spec.signerName=example.com/other -o name", ""),
    ] {
        served.says(line, expected);
    }
    served.has("get csr a --no-headers", &["Approved,Issued"]);
    served.has("get csr b --no-headers", &["Denied"]);
    served.fails(
        "patch csr a --subresource approval --type merge -p {\"status\":{\"conditions\":[]}}",
        "updates may not remove a condition of type \"Approved\"",
    );
    // What was asked for stays.
    served.kubectl("patch csr a --type merge -p {\"spec\":{\"signerName\":\"example.com/else\"}}");
    served.says("get csr a -o jsonpath={.spec.signerName}", "example.com/some");
    let said = served.kubectl_with("create -f -", &CSR.replace("NAME", "c").replace("LS0t", "eHh4"));
    assert!(
        said.stderr.contains("PEM block type must be CERTIFICATE REQUEST"),
        "{}",
        said.whole()
    );
}

#[test]
fn an_autoscaler_has_two_versions() {
    let Some(served) = Served::start() else { return };
    for (line, expected) in [
        ("create deployment d --image=nginx", "deployment.apps/d created\n"),
        (
            "autoscale deployment d --min=2 --max=5 --cpu-percent=70",
            "horizontalpodautoscaler.autoscaling/d autoscaled\n",
        ),
        ("scale deployment d --replicas=0", "deployment.apps/d scaled\n"),
        (
            "get hpa d -o jsonpath={.apiVersion},{.spec.metrics[0].resource.target.averageUtilization}",
            "autoscaling/v2,70",
        ),
        (
            "get horizontalpodautoscalers.v1.autoscaling d -o jsonpath={.apiVersion},{.spec.targetCPUUtilizationPercentage}",
            "autoscaling/v1,70",
        ),
        (
            "patch horizontalpodautoscalers.v1.autoscaling d --type merge -p {\"spec\":{\"targetCPUUtilizationPercentage\":60}}",
            "horizontalpodautoscaler.autoscaling/d patched\n",
        ),
        (
            "get hpa d -o jsonpath={.spec.metrics[*].resource.target.averageUtilization}",
            "60",
        ),
    ] {
        served.says(line, expected);
    }
    served.has(
        "get hpa d --no-headers",
        &["Deployment/d   cpu: <unknown>/60%   2     5     0"],
    );
    served.has(
        "get horizontalpodautoscalers.v1.autoscaling --no-headers",
        &["Deployment/d   cpu: <unknown>/60%   2     5     0"],
    );
    served.user.file(
        "v1.yaml",
        "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: e}\nspec:\n  maxReplicas: 3\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}\n",
    );
    served.says("apply -f v1.yaml", "horizontalpodautoscaler.autoscaling/e created\n");
    served.says("apply -f v1.yaml", "horizontalpodautoscaler.autoscaling/e unchanged\n");
    served.has("get hpa e --no-headers", &["cpu: <unknown>/80%   1     3     0"]);
    served.says(
        "delete horizontalpodautoscalers.v1.autoscaling d e",
        "horizontalpodautoscaler.autoscaling \"d\" deleted\nhorizontalpodautoscaler.autoscaling \"e\" deleted\n",
    );
}

#[test]
fn flow_control_is_kept() {
    let Some(served) = Served::start() else { return };
    served.user.file(
        "flow.yaml",
        "\
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: level}
spec: {type: Limited, limited: {limitResponse: {type: Queue}}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: flow}
spec:
  priorityLevelConfiguration: {name: level}
  distinguisherMethod: {type: ByUser}
",
    );
    let said = served.kubectl("apply -f flow.yaml");
    assert_eq!(
        said.stdout,
        "prioritylevelconfiguration.flowcontrol.apiserver.k8s.io/level created\nflowschema.flowcontrol.apiserver.k8s.io/flow created\n",
        "{}",
        said.whole()
    );
    assert!(
        said.stderr
            .contains("podsim keeps this FlowSchema and holds no request back by it"),
        "{}",
        said.whole()
    );
    served.has(
        "get prioritylevelconfigurations --no-headers",
        &["level   Limited   30    64    8     50"],
    );
    served.has("get flowschemas --no-headers", &["flow   level   1000   ByUser"]);
    served.says(
        "api-resources --api-group=flowcontrol.apiserver.k8s.io -o name",
        "flowschemas.flowcontrol.apiserver.k8s.io\nprioritylevelconfigurations.flowcontrol.apiserver.k8s.io\n",
    );
}
