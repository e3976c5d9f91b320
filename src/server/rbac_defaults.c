/* See rbac_defaults.h. Names and rights are upstream's (plugin/pkg/auth/authorizer/rbac/bootstrappolicy); of the roles
 * of controllers those are here whose controllers are. Our own controllers, scheduler and proxy do not need them: they
 * are for those who run theirs beside us, and for those who look. */
#include "server/rbac_defaults.h"

#include "base/alloc.h"

#define READ "get list watch"
#define WRITE "create delete deletecollection patch update"
#define ALL "create delete deletecollection get list patch update watch"
#define AUTHN "authentication.k8s.io"
#define AUTHZ "authorization.k8s.io"
#define CERTS "certificates.k8s.io"
#define LEASES "coordination.k8s.io"
#define SLICES "discovery.k8s.io"
#define NETWORK "networking.k8s.io"
#define RBAC "rbac.authorization.k8s.io"
#define STORAGE "storage.k8s.io"
#define CSR "certificatesigningrequests"
#define HPA "horizontalpodautoscalers"
#define PDB "poddisruptionbudgets"
#define PVC "persistentvolumeclaims"
#define PV "persistentvolumes"
#define RC "replicationcontrollers"
#define CONTROLLER(name) "system:controller:" name
#define EVENTS(role)                                                                                                   \
    {                                                                                                                  \
        NULL, role, "create patch update", "core events.k8s.io", "events"                                              \
    }
#define PATHS(role, verbs, paths)                                                                                      \
    {                                                                                                                  \
        NULL, role, verbs, NULL, NULL, NULL, paths                                                                     \
    }
#define SIGNER(role, verb, signers)                                                                                    \
    {                                                                                                                  \
        NULL, role, verb, CERTS, "signers", signers                                                                    \
    }

/* clang-format off */
const struct default_rule default_rules[] = {
    {NULL, "cluster-admin", "*", "*", "*"},
    PATHS("cluster-admin", "*", "*"),
    {NULL, "admin"},
    {NULL, "edit"},
    {NULL, "view"},

    {NULL, "system:aggregate-to-admin", "create", AUTHZ, "localsubjectaccessreviews"},
    {NULL, "system:aggregate-to-admin", ALL, RBAC, "rolebindings roles"},

    {NULL, "system:aggregate-to-edit", READ, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"},
    {NULL, "system:aggregate-to-edit", "impersonate", "core", "serviceaccounts"},
    {NULL, "system:aggregate-to-edit", WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"},
    {NULL, "system:aggregate-to-edit", "create", "core", "pods/eviction"},
    {NULL, "system:aggregate-to-edit", WRITE, "core", "configmaps events " PVC " " RC " " RC "/scale secrets serviceaccounts services services/proxy"},
    {NULL, "system:aggregate-to-edit", "create", "core", "serviceaccounts/token"},
    {NULL, "system:aggregate-to-edit", WRITE, "apps", "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale"},
    {NULL, "system:aggregate-to-edit", WRITE, "autoscaling", HPA},
    {NULL, "system:aggregate-to-edit", WRITE, "batch", "cronjobs jobs"},
    {NULL, "system:aggregate-to-edit", WRITE, "extensions", "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale " RC "/scale"},
    {NULL, "system:aggregate-to-edit", WRITE, "policy", PDB},
    {NULL, "system:aggregate-to-edit", WRITE, NETWORK, "ingresses networkpolicies"},
    {NULL, "system:aggregate-to-edit", ALL, LEASES, "leases"},

    {NULL, "system:aggregate-to-view", READ, "core", "configmaps endpoints " PVC " " PVC "/status pods " RC " " RC "/scale serviceaccounts services services/status"},
    {NULL, "system:aggregate-to-view", READ, "core", "bindings events limitranges namespaces/status pods/log pods/status " RC "/status resourcequotas resourcequotas/status"},
    {NULL, "system:aggregate-to-view", READ, "core", "namespaces"},
    {NULL, "system:aggregate-to-view", READ, SLICES, "endpointslices"},
    {NULL, "system:aggregate-to-view", READ, "apps", "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status"},
    {NULL, "system:aggregate-to-view", READ, "autoscaling", HPA " " HPA "/status"},
    {NULL, "system:aggregate-to-view", READ, "batch", "cronjobs cronjobs/status jobs jobs/status"},
    {NULL, "system:aggregate-to-view", READ, "extensions", "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status " RC "/scale"},
    {NULL, "system:aggregate-to-view", READ, "policy", PDB " " PDB "/status"},
    {NULL, "system:aggregate-to-view", READ, NETWORK, "ingresses ingresses/status networkpolicies"},

    {NULL, "system:aggregated-metrics-reader", READ, "metrics.k8s.io", "pods nodes"},

    {NULL, "system:auth-delegator", "create", AUTHN, "tokenreviews"},
    {NULL, "system:auth-delegator", "create", AUTHZ, "subjectaccessreviews"},
    {NULL, "system:basic-user", "create", AUTHZ, "selfsubjectaccessreviews selfsubjectrulesreviews"},
    {NULL, "system:basic-user", "create", AUTHN, "selfsubjectreviews"},
    {NULL, "system:certificates.k8s.io:certificatesigningrequests:nodeclient", "create", CERTS, CSR "/nodeclient"},
    {NULL, "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "create", CERTS, CSR "/selfnodeclient"},
    SIGNER("system:certificates.k8s.io:kube-apiserver-client-approver", "approve", "kubernetes.io/kube-apiserver-client"),
    SIGNER("system:certificates.k8s.io:kube-apiserver-client-kubelet-approver", "approve", "kubernetes.io/kube-apiserver-client-kubelet"),
    SIGNER("system:certificates.k8s.io:kubelet-serving-approver", "approve", "kubernetes.io/kubelet-serving"),
    SIGNER("system:certificates.k8s.io:legacy-unknown-approver", "approve", "kubernetes.io/legacy-unknown"),
    PATHS("system:discovery", "get", "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"),
    {NULL, "system:kube-aggregator", READ, "core", "endpoints services"},
    {NULL, "system:kube-dns", "list watch", "core", "endpoints services"},
    {NULL, "system:kubelet-api-admin", READ, "core", "nodes"},
    {NULL, "system:kubelet-api-admin", "proxy", "core", "nodes"},
    {NULL, "system:kubelet-api-admin", "*", "core", "nodes/log nodes/metrics nodes/proxy nodes/stats"},
    PATHS("system:monitoring", "get", "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"),
    {NULL, "system:node-bootstrapper", "create get list watch", CERTS, CSR},
    {NULL, "system:node-problem-detector", "get", "core", "nodes"},
    {NULL, "system:node-problem-detector", "patch", "core", "nodes/status"},
    EVENTS("system:node-problem-detector"),
    {NULL, "system:node-proxier", "list watch", "core", "endpoints services"},
    {NULL, "system:node-proxier", READ, "core", "nodes"},
    EVENTS("system:node-proxier"),
    {NULL, "system:node-proxier", "list watch", SLICES, "endpointslices"},
    PATHS("system:public-info-viewer", "get", "/healthz /livez /readyz /version /version/"),
    PATHS("system:service-account-issuer-discovery", "get", "/.well-known/openid-configuration /openid/v1/jwks"),

    {NULL, "system:persistent-volume-provisioner", "create delete get list watch", "core", PV},
    {NULL, "system:persistent-volume-provisioner", "get list update watch", "core", PVC},
    {NULL, "system:persistent-volume-provisioner", READ, STORAGE, "storageclasses"},
    {NULL, "system:persistent-volume-provisioner", "watch", "core", "events"},
    EVENTS("system:persistent-volume-provisioner"),
    {NULL, "system:volume-scheduler", "get list patch update watch", "core", PV},
    {NULL, "system:volume-scheduler", READ, STORAGE, "storageclasses"},
    {NULL, "system:volume-scheduler", "get list patch update watch", "core", PVC},

    EVENTS("system:kube-controller-manager"),
    {NULL, "system:kube-controller-manager", "create", LEASES, "leases"},
    {NULL, "system:kube-controller-manager", "get update", LEASES, "leases", "kube-controller-manager"},
    {NULL, "system:kube-controller-manager", "create", "core", "secrets serviceaccounts"},
    {NULL, "system:kube-controller-manager", "delete", "core", "secrets"},
    {NULL, "system:kube-controller-manager", "get", "core", "configmaps namespaces secrets serviceaccounts"},
    {NULL, "system:kube-controller-manager", "update", "core", "secrets serviceaccounts"},
    {NULL, "system:kube-controller-manager", "create", AUTHN, "tokenreviews"},
    {NULL, "system:kube-controller-manager", "create", AUTHZ, "subjectaccessreviews"},
    {NULL, "system:kube-controller-manager", "list watch", "*", "*"},
    {NULL, "system:kube-controller-manager", "create", "core", "serviceaccounts/token"},

    EVENTS("system:kube-scheduler"),
    {NULL, "system:kube-scheduler", "create", LEASES, "leases"},
    {NULL, "system:kube-scheduler", "get update", LEASES, "leases", "kube-scheduler"},
    {NULL, "system:kube-scheduler", READ, "core", "nodes"},
    {NULL, "system:kube-scheduler", "delete get list watch", "core", "pods"},
    {NULL, "system:kube-scheduler", "create", "core", "bindings pods/binding"},
    {NULL, "system:kube-scheduler", "patch update", "core", "pods/status"},
    {NULL, "system:kube-scheduler", READ, "core", RC " services"},
    {NULL, "system:kube-scheduler", READ, "apps extensions", "replicasets"},
    {NULL, "system:kube-scheduler", READ, "apps", "statefulsets"},
    {NULL, "system:kube-scheduler", READ, "policy", PDB},
    {NULL, "system:kube-scheduler", READ, "core", PVC " " PV},
    {NULL, "system:kube-scheduler", "create", AUTHN, "tokenreviews"},
    {NULL, "system:kube-scheduler", "create", AUTHZ, "subjectaccessreviews"},
    {NULL, "system:kube-scheduler", READ, STORAGE, "csidrivers csinodes csistoragecapacities"},
    {NULL, "system:kube-scheduler", READ, "core", "namespaces"},

    {NULL, "system:node", "create", AUTHN, "tokenreviews"},
    {NULL, "system:node", "create", AUTHZ, "localsubjectaccessreviews subjectaccessreviews"},
    {NULL, "system:node", READ, "core", "services"},
    {NULL, "system:node", "create get list watch", "core", "nodes"},
    {NULL, "system:node", "patch update", "core", "nodes/status"},
    {NULL, "system:node", "patch update", "core", "nodes"},
    {NULL, "system:node", "create patch update", "core", "events"},
    {NULL, "system:node", READ, "core", "pods"},
    {NULL, "system:node", "create delete", "core", "pods"},
    {NULL, "system:node", "patch update", "core", "pods/status"},
    {NULL, "system:node", "create", "core", "pods/eviction"},
    {NULL, "system:node", READ, "core", "configmaps secrets"},
    {NULL, "system:node", "get", "core", PVC " " PV},
    {NULL, "system:node", "get", "core", "endpoints"},
    {NULL, "system:node", "create get list watch", CERTS, CSR},
    {NULL, "system:node", "create delete get patch update", LEASES, "leases"},
    {NULL, "system:node", "create", "core", "serviceaccounts/token"},
    {NULL, "system:node", READ, STORAGE, "csidrivers"},
    {NULL, "system:node", READ, "node.k8s.io", "runtimeclasses"},

    {NULL, CONTROLLER("certificate-controller"), "delete get list watch", CERTS, CSR},
    {NULL, CONTROLLER("certificate-controller"), "update", CERTS, CSR "/approval " CSR "/status"},
    SIGNER(CONTROLLER("certificate-controller"), "approve", "kubernetes.io/kube-apiserver-client-kubelet"),
    SIGNER(CONTROLLER("certificate-controller"), "sign", "kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown"),
    {NULL, CONTROLLER("certificate-controller"), "create", AUTHZ, "subjectaccessreviews"},
    EVENTS(CONTROLLER("certificate-controller")),
    {NULL, CONTROLLER("clusterrole-aggregation-controller"), "escalate get list patch update watch", RBAC, "clusterroles"},
    {NULL, CONTROLLER("daemon-set-controller"), READ, "apps extensions", "daemonsets"},
    {NULL, CONTROLLER("daemon-set-controller"), "update", "apps extensions", "daemonsets/status"},
    {NULL, CONTROLLER("daemon-set-controller"), "update", "apps extensions", "daemonsets/finalizers"},
    {NULL, CONTROLLER("daemon-set-controller"), "list watch", "core", "nodes"},
    {NULL, CONTROLLER("daemon-set-controller"), "create delete list patch watch", "core", "pods"},
    {NULL, CONTROLLER("daemon-set-controller"), "create", "core", "pods/binding"},
    {NULL, CONTROLLER("daemon-set-controller"), "create delete get list patch update watch", "apps", "controllerrevisions"},
    EVENTS(CONTROLLER("daemon-set-controller")),
    {NULL, CONTROLLER("deployment-controller"), "get list update watch", "apps extensions", "deployments"},
    {NULL, CONTROLLER("deployment-controller"), "update", "apps extensions", "deployments/status"},
    {NULL, CONTROLLER("deployment-controller"), "update", "apps extensions", "deployments/finalizers"},
    {NULL, CONTROLLER("deployment-controller"), "create delete get list patch update watch", "apps extensions", "replicasets"},
    {NULL, CONTROLLER("deployment-controller"), "get list update watch", "core", "pods"},
    EVENTS(CONTROLLER("deployment-controller")),
    {NULL, CONTROLLER("endpoint-controller"), READ, "core", "pods services"},
    {NULL, CONTROLLER("endpoint-controller"), "create delete get list update watch", "core", "endpoints"},
    {NULL, CONTROLLER("endpoint-controller"), "create", "core", "endpoints/restricted"},
    EVENTS(CONTROLLER("endpoint-controller")),
    {NULL, CONTROLLER("endpointslice-controller"), READ, "core", "nodes pods services"},
    {NULL, CONTROLLER("endpointslice-controller"), "update", "core", "services/finalizers"},
    {NULL, CONTROLLER("endpointslice-controller"), "create delete get list update watch", SLICES, "endpointslices"},
    EVENTS(CONTROLLER("endpointslice-controller")),
    {NULL, CONTROLLER("endpointslicemirroring-controller"), READ, "core", "endpoints services"},
    {NULL, CONTROLLER("endpointslicemirroring-controller"), "update", "core", "services/finalizers"},
    {NULL, CONTROLLER("endpointslicemirroring-controller"), "update", "core", "endpoints/finalizers"},
    {NULL, CONTROLLER("endpointslicemirroring-controller"), "create delete get list update watch", SLICES, "endpointslices"},
    EVENTS(CONTROLLER("endpointslicemirroring-controller")),
    {NULL, CONTROLLER("generic-garbage-collector"), "delete get list patch update watch", "*", "*"},
    EVENTS(CONTROLLER("generic-garbage-collector")),
    {NULL, CONTROLLER("job-controller"), "get list patch update watch", "batch", "jobs"},
    {NULL, CONTROLLER("job-controller"), "update", "batch", "jobs/status"},
    {NULL, CONTROLLER("job-controller"), "update", "batch", "jobs/finalizers"},
    {NULL, CONTROLLER("job-controller"), "create delete list patch watch", "core", "pods"},
    EVENTS(CONTROLLER("job-controller")),
    {NULL, CONTROLLER("namespace-controller"), "delete get list watch", "core", "namespaces"},
    {NULL, CONTROLLER("namespace-controller"), "update", "core", "namespaces/finalize namespaces/status"},
    {NULL, CONTROLLER("namespace-controller"), "delete deletecollection get list watch", "*", "*"},
    {NULL, CONTROLLER("node-controller"), "delete get list patch update watch", "core", "nodes"},
    {NULL, CONTROLLER("node-controller"), "patch update", "core", "nodes/status"},
    {NULL, CONTROLLER("node-controller"), "patch update", "core", "pods/status"},
    {NULL, CONTROLLER("node-controller"), "delete get list watch", "core", "pods"},
    EVENTS(CONTROLLER("node-controller")),
    {NULL, CONTROLLER("pod-garbage-collector"), "delete list watch", "core", "pods"},
    {NULL, CONTROLLER("pod-garbage-collector"), READ, "core", "nodes"},
    {NULL, CONTROLLER("pod-garbage-collector"), "patch", "core", "pods/status"},
    {NULL, CONTROLLER("replicaset-controller"), "get list update watch", "apps extensions", "replicasets"},
    {NULL, CONTROLLER("replicaset-controller"), "update", "apps extensions", "replicasets/status"},
    {NULL, CONTROLLER("replicaset-controller"), "update", "apps extensions", "replicasets/finalizers"},
    {NULL, CONTROLLER("replicaset-controller"), "create delete list patch watch", "core", "pods"},
    EVENTS(CONTROLLER("replicaset-controller")),
    {NULL, CONTROLLER("replication-controller"), "get list update watch", "core", RC},
    {NULL, CONTROLLER("replication-controller"), "update", "core", RC "/status"},
    {NULL, CONTROLLER("replication-controller"), "update", "core", RC "/finalizers"},
    {NULL, CONTROLLER("replication-controller"), "create delete list patch watch", "core", "pods"},
    EVENTS(CONTROLLER("replication-controller")),
    {NULL, CONTROLLER("root-ca-cert-publisher"), "create update", "core", "configmaps"},
    EVENTS(CONTROLLER("root-ca-cert-publisher")),
    {NULL, CONTROLLER("service-account-controller"), "create", "core", "serviceaccounts"},
    EVENTS(CONTROLLER("service-account-controller")),
    {NULL, CONTROLLER("service-controller"), READ, "core", "services"},
    {NULL, CONTROLLER("service-controller"), "patch update", "core", "services/status"},
    {NULL, CONTROLLER("service-controller"), "list watch", "core", "nodes"},
    EVENTS(CONTROLLER("service-controller")),
    {NULL, CONTROLLER("statefulset-controller"), "list watch", "core", "pods"},
    {NULL, CONTROLLER("statefulset-controller"), READ, "apps", "statefulsets"},
    {NULL, CONTROLLER("statefulset-controller"), "update", "apps", "statefulsets/status"},
    {NULL, CONTROLLER("statefulset-controller"), "update", "apps", "statefulsets/finalizers"},
    {NULL, CONTROLLER("statefulset-controller"), "create delete get patch update", "core", "pods"},
    {NULL, CONTROLLER("statefulset-controller"), "create delete get list patch update watch", "apps", "controllerrevisions"},
    {NULL, CONTROLLER("statefulset-controller"), "create delete get list update watch", "core", PVC},
    EVENTS(CONTROLLER("statefulset-controller")),

    {NULL, "kubeadm:get-nodes", "get", "core", "nodes"},
    {"kube-public", "kubeadm:bootstrap-signer-clusterinfo", "get", "core", "configmaps", "cluster-info"},
    {"kube-system", "extension-apiserver-authentication-reader", READ, "core", "configmaps", "extension-apiserver-authentication"},
    {"kube-system", "system::leader-locking-kube-controller-manager", "create get list update watch", LEASES, "leases"},
    {"kube-system", "system::leader-locking-kube-scheduler", "create get list update watch", LEASES, "leases"},
};
const size_t n_default_rules = ARRAY_LEN(default_rules);

const struct default_label default_labels[] = {
    {"admin", NULL, "admin"},
    {"edit", "admin", "edit"},
    {"view", "edit", "view"},
    {"system:aggregate-to-admin", "admin", NULL},
    {"system:aggregate-to-edit", "edit", NULL},
    {"system:aggregate-to-view", "view", NULL},
    {"system:aggregated-metrics-reader", "view", NULL},
};
const size_t n_default_labels = ARRAY_LEN(default_labels);

#define BOUND_CONTROLLER(name, account)                                                                                \
    {                                                                                                                  \
        NULL, CONTROLLER(name), NULL, "ServiceAccount", account                                                        \
    }

/* Those of kubeadm, by which nodes join, follow upstream's own. Subjects of one binding stand together. */
const struct default_binding default_bindings[] = {
    {NULL, "cluster-admin", NULL, "Group", "system:masters"},
    {NULL, "system:basic-user", NULL, "Group", "system:authenticated"},
    {NULL, "system:discovery", NULL, "Group", "system:authenticated"},
    {NULL, "system:public-info-viewer", NULL, "Group", "system:authenticated"},
    {NULL, "system:public-info-viewer", NULL, "Group", "system:unauthenticated"},
    {NULL, "system:service-account-issuer-discovery", NULL, "Group", "system:serviceaccounts"},
    {NULL, "system:monitoring", NULL, "Group", "system:monitoring"},
    {NULL, "system:node", NULL, NULL, NULL},
    {NULL, "system:node-proxier", NULL, "User", "system:kube-proxy"},
    {NULL, "system:kube-controller-manager", NULL, "User", "system:kube-controller-manager"},
    {NULL, "system:kube-dns", NULL, "ServiceAccount", "kube-dns"},
    {NULL, "system:kube-scheduler", NULL, "User", "system:kube-scheduler"},
    {NULL, "system:volume-scheduler", NULL, "User", "system:kube-scheduler"},
    BOUND_CONTROLLER("certificate-controller", "certificate-controller"),
    BOUND_CONTROLLER("clusterrole-aggregation-controller", "clusterrole-aggregation-controller"),
    BOUND_CONTROLLER("daemon-set-controller", "daemon-set-controller"),
    BOUND_CONTROLLER("deployment-controller", "deployment-controller"),
    BOUND_CONTROLLER("endpoint-controller", "endpoint-controller"),
    BOUND_CONTROLLER("endpointslice-controller", "endpointslice-controller"),
    BOUND_CONTROLLER("endpointslicemirroring-controller", "endpointslicemirroring-controller"),
    BOUND_CONTROLLER("generic-garbage-collector", "generic-garbage-collector"),
    BOUND_CONTROLLER("job-controller", "job-controller"),
    BOUND_CONTROLLER("namespace-controller", "namespace-controller"),
    BOUND_CONTROLLER("node-controller", "node-controller"),
    BOUND_CONTROLLER("pod-garbage-collector", "pod-garbage-collector"),
    BOUND_CONTROLLER("replicaset-controller", "replicaset-controller"),
    BOUND_CONTROLLER("replication-controller", "replication-controller"),
    BOUND_CONTROLLER("root-ca-cert-publisher", "root-ca-cert-publisher"),
    BOUND_CONTROLLER("service-account-controller", "service-account-controller"),
    BOUND_CONTROLLER("service-controller", "service-controller"),
    BOUND_CONTROLLER("statefulset-controller", "statefulset-controller"),
    {NULL, "kubeadm:get-nodes", NULL, "Group", "system:bootstrappers:kubeadm:default-node-token"},
    {NULL, "kubeadm:kubelet-bootstrap", "system:node-bootstrapper", "Group", "system:bootstrappers"},
    {NULL, "kubeadm:node-autoapprove-bootstrap", "system:certificates.k8s.io:certificatesigningrequests:nodeclient", "Group", "system:bootstrappers"},
    {NULL, "kubeadm:node-autoapprove-certificate-rotation", "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "Group", "system:nodes"},
    {"kube-public", "kubeadm:bootstrap-signer-clusterinfo", NULL, "User", "system:anonymous"},
    {"kube-system", "system::extension-apiserver-authentication-reader", "extension-apiserver-authentication-reader", "User", "system:kube-controller-manager"},
    {"kube-system", "system::extension-apiserver-authentication-reader", "extension-apiserver-authentication-reader", "User", "system:kube-scheduler"},
    {"kube-system", "system::leader-locking-kube-controller-manager", NULL, "User", "system:kube-controller-manager"},
    {"kube-system", "system::leader-locking-kube-scheduler", NULL, "User", "system:kube-scheduler"},
};
const size_t n_default_bindings = ARRAY_LEN(default_bindings);
/* clang-format on */
