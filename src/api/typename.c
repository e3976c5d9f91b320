/* See typename.h. The tables of a kind do not repeat Go's type names; here are those that cannot be guessed from the
 * member's name. Types that are not listed get a name made of parent and member. */
#include "api/typename.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* First match counts. `in` NULL: in any type. A type without a package is in that of its parent. */
static const struct type_row {
    const char *in, *member, *type;
} types[] = {
    {NULL, "metadata", "meta.v1.ObjectMeta"},
    {"ObjectMeta", "managedFields", "ManagedFieldsEntry"},
    {"ObjectMeta", "ownerReferences", "OwnerReference"},
    {"LabelSelector", "matchExpressions", "LabelSelectorRequirement"},
    {"ServiceStatus", "conditions", "meta.v1.Condition"},
    {"ResourceAttributes", "labelSelector", "LabelSelectorAttributes"},
    {"PodDisruptionBudgetStatus", "conditions", "meta.v1.Condition"},
    {NULL, "labelSelector", "meta.v1.LabelSelector"},
    {NULL, "namespaceSelector", "meta.v1.LabelSelector"},
    {NULL, "selector", "meta.v1.LabelSelector"},
    {NULL, "template", "core.v1.PodTemplateSpec"},
    {"PodTemplateSpec", "spec", "PodSpec"},
    {"PersistentVolumeClaimTemplate", "spec", "PersistentVolumeClaimSpec"},
    {"ControllerRevision", "data", "runtime.RawExtension"},
    {"DaemonSetSpec", "updateStrategy", "DaemonSetUpdateStrategy"},
    {"DaemonSetUpdateStrategy", "rollingUpdate", "RollingUpdateDaemonSet"},
    {"TokenRequestSpec", "boundObjectRef", "BoundObjectReference"},
    {"TokenReviewStatus", "user", "UserInfo"},
    {"SelfSubjectReviewStatus", "userInfo", "UserInfo"},
    {"LocalSubjectAccessReview", "spec", "SubjectAccessReviewSpec"},
    {"LocalSubjectAccessReview", "status", "SubjectAccessReviewStatus"},
    {"SelfSubjectAccessReview", "status", "SubjectAccessReviewStatus"},
    {"SelfSubjectRulesReview", "status", "SubjectRulesReviewStatus"},
    {"SelfSubjectAccessReviewSpec", "resourceAttributes", "ResourceAttributes"},
    {"SelfSubjectAccessReviewSpec", "nonResourceAttributes", "NonResourceAttributes"},
    {"SubjectAccessReviewSpec", "resourceAttributes", "ResourceAttributes"},
    {"SubjectAccessReviewSpec", "nonResourceAttributes", "NonResourceAttributes"},
    {"ResourceAttributes", "fieldSelector", "FieldSelectorAttributes"},
    {"FieldSelectorAttributes", "requirements", "meta.v1.FieldSelectorRequirement"},
    {"LabelSelectorAttributes", "requirements", "meta.v1.LabelSelectorRequirement"},
    {"SubjectRulesReviewStatus", "resourceRules", "ResourceRule"},
    {"SubjectRulesReviewStatus", "nonResourceRules", "NonResourceRule"},
    {"ClusterRole", "rules", "PolicyRule"},
    {"ClusterRole", "aggregationRule", "AggregationRule"},
    {"AggregationRule", "clusterRoleSelectors", "meta.v1.LabelSelector"},
    {"Role", "rules", "PolicyRule"},
    {"ClusterRoleBinding", "roleRef", "RoleRef"},
    {"ClusterRoleBinding", "subjects", "Subject"},
    {"RoleBinding", "roleRef", "RoleRef"},
    {"RoleBinding", "subjects", "Subject"},
    {"DeploymentSpec", "strategy", "DeploymentStrategy"},
    {"DeploymentStrategy", "rollingUpdate", "RollingUpdateDeployment"},
    {"JobStatus", "uncountedTerminatedPods", "UncountedTerminatedPods"},
    {"StatefulSetSpec", "ordinals", "StatefulSetOrdinals"},
    {"StatefulSetSpec", "updateStrategy", "StatefulSetUpdateStrategy"},
    {"StatefulSetSpec", "volumeClaimTemplates", "core.v1.PersistentVolumeClaimTemplate"},
    {"StatefulSetUpdateStrategy", "rollingUpdate", "RollingUpdateStatefulSetStrategy"},
    {"EndpointSlice", "ports", "EndpointPort"},
    {"EndpointSlice", "endpoints", "Endpoint"},
    {"Endpoint", "conditions", "EndpointConditions"},
    {"Endpoint", "hints", "EndpointHints"},
    {"Endpoint", "targetRef", "core.v1.ObjectReference"},
    {"EndpointHints", "forZones", "ForZone"},
    {"EndpointHints", "forNodes", "ForNode"},
    {"Endpoints", "subsets", "EndpointSubset"},
    {"EndpointSubset", "addresses", "EndpointAddress"},
    {"EndpointSubset", "notReadyAddresses", "EndpointAddress"},
    {"EndpointSubset", "ports", "EndpointPort"},
    {"LimitRangeSpec", "limits", "LimitRangeItem"},
    {"ResourceQuotaSpec", "scopeSelector", "ScopeSelector"},
    {"ScopeSelector", "matchExpressions", "ScopedResourceSelectorRequirement"},
    {"IngressSpec", "defaultBackend", "IngressBackend"},
    {"IngressSpec", "backend", "IngressBackend"},
    {"IngressSpec", "tls", "IngressTLS"},
    {"IngressSpec", "rules", "IngressRule"},
    {"IngressRule", "http", "HTTPIngressRuleValue"},
    {"HTTPIngressRuleValue", "paths", "HTTPIngressPath"},
    {"HTTPIngressPath", "backend", "IngressBackend"},
    {"IngressBackend", "service", "IngressServiceBackend"},
    {"IngressBackend", "resource", "core.v1.TypedLocalObjectReference"},
    {"IngressServiceBackend", "port", "ServiceBackendPort"},
    {"IngressStatus", "loadBalancer", "IngressLoadBalancerStatus"},
    {"IngressLoadBalancerStatus", "ingress", "IngressLoadBalancerIngress"},
    {"IngressLoadBalancerIngress", "ports", "IngressPortStatus"},
    {"IngressClassSpec", "parameters", "IngressClassParametersReference"},
    {"ServiceSpec", "ports", "ServicePort"},
    {"LoadBalancerIngress", "ports", "PortStatus"},
    {"Event", "series", "EventSeries"},
    {"Event", "source", "EventSource"},
    {"NodeStatus", "addresses", "NodeAddress"},
    {"NodeStatus", "features", "NodeFeatures"},
    {"NodeStatus", "config", "NodeConfigStatus"},
    {"NodeRuntimeHandler", "features", "NodeRuntimeHandlerFeatures"},
    {"NodeConfigSource", "configMap", "ConfigMapNodeConfigSource"},
    {"VolumeProjection", "clusterTrustBundle", "ClusterTrustBundleProjection"},
    {"VolumeProjection", "configMap", "ConfigMapProjection"},
    {"VolumeProjection", "downwardAPI", "DownwardAPIProjection"},
    {"VolumeProjection", "podCertificate", "PodCertificateProjection"},
    {"VolumeProjection", "secret", "SecretProjection"},
    {"VolumeProjection", "serviceAccountToken", "ServiceAccountTokenProjection"},
    {"VolumeStatus", "image", "ImageVolumeStatus"},
    {"DownwardAPIVolumeSource", "items", "DownwardAPIVolumeFile"},
    {"DownwardAPIProjection", "items", "DownwardAPIVolumeFile"},
    {"EnvFromSource", "secretRef", "SecretEnvSource"},
    {"ContainerStatus", "volumeMounts", "VolumeMountStatus"},
    {"PersistentVolumeClaimSpec", "resources", "VolumeResourceRequirements"},
    {"ResourceStatus", "resources", "ResourceHealth"},
    {"PodSpec", "securityContext", "PodSecurityContext"},
    {"NodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution", "PreferredSchedulingTerm"},
    {"NodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "NodeSelector"},
    {NULL, "preferredDuringSchedulingIgnoredDuringExecution", "WeightedPodAffinityTerm"},
    {NULL, "requiredDuringSchedulingIgnoredDuringExecution", "PodAffinityTerm"},
    {NULL, "active", "NodeConfigSource"},
    {NULL, "affinity", "Affinity"},
    {NULL, "allocatedResourcesStatus", "ResourceStatus"},
    {NULL, "appArmorProfile", "AppArmorProfile"},
    {NULL, "assigned", "NodeConfigSource"},
    {NULL, "awsElasticBlockStore", "AWSElasticBlockStoreVolumeSource"},
    {NULL, "azureDisk", "AzureDiskVolumeSource"},
    {NULL, "azureFile", "AzureFileVolumeSource"},
    {NULL, "capabilities", "Capabilities"},
    {NULL, "cephfs", "CephFSVolumeSource"},
    {NULL, "cinder", "CinderVolumeSource"},
    {NULL, "claims", "ResourceClaim"},
    {NULL, "clientIP", "ClientIPConfig"},
    {NULL, "configMap", "ConfigMapVolumeSource"},
    {NULL, "configMapKeyRef", "ConfigMapKeySelector"},
    {NULL, "configMapRef", "ConfigMapEnvSource"},
    {NULL, "configSource", "NodeConfigSource"},
    {NULL, "containerStatuses", "ContainerStatus"},
    {NULL, "containers", "Container"},
    {NULL, "csi", "CSIVolumeSource"},
    {NULL, "daemonEndpoints", "NodeDaemonEndpoints"},
    {NULL, "dataSource", "TypedLocalObjectReference"},
    {NULL, "dataSourceRef", "TypedObjectReference"},
    {NULL, "dnsConfig", "PodDNSConfig"},
    {NULL, "downwardAPI", "DownwardAPIVolumeSource"},
    {NULL, "emptyDir", "EmptyDirVolumeSource"},
    {NULL, "env", "EnvVar"},
    {NULL, "envFrom", "EnvFromSource"},
    {NULL, "ephemeral", "EphemeralVolumeSource"},
    {NULL, "ephemeralContainerStatuses", "ContainerStatus"},
    {NULL, "ephemeralContainers", "EphemeralContainer"},
    {NULL, "exec", "ExecAction"},
    {NULL, "exitCodes", "ContainerRestartRuleOnExitCodes"},
    {NULL, "extendedResourceClaimStatus", "PodExtendedResourceClaimStatus"},
    {NULL, "fc", "FCVolumeSource"},
    {NULL, "fieldRef", "ObjectFieldSelector"},
    {NULL, "fileKeyRef", "FileKeySelector"},
    {NULL, "flexVolume", "FlexVolumeSource"},
    {NULL, "flocker", "FlockerVolumeSource"},
    {NULL, "gcePersistentDisk", "GCEPersistentDiskVolumeSource"},
    {NULL, "gitRepo", "GitRepoVolumeSource"},
    {NULL, "glusterfs", "GlusterfsVolumeSource"},
    {NULL, "grpc", "GRPCAction"},
    {NULL, "hostAliases", "HostAlias"},
    {NULL, "hostIPs", "HostIP"},
    {NULL, "hostPath", "HostPathVolumeSource"},
    {NULL, "httpGet", "HTTPGetAction"},
    {NULL, "httpHeaders", "HTTPHeader"},
    {NULL, "image", "ImageVolumeSource"},
    {NULL, "imagePullSecrets", "LocalObjectReference"},
    {NULL, "images", "ContainerImage"},
    {NULL, "ingress", "LoadBalancerIngress"},
    {NULL, "initContainerStatuses", "ContainerStatus"},
    {NULL, "initContainers", "Container"},
    {NULL, "involvedObject", "ObjectReference"},
    {NULL, "iscsi", "ISCSIVolumeSource"},
    {NULL, "items", "KeyToPath"},
    {NULL, "kubeletEndpoint", "DaemonEndpoint"},
    {NULL, "lastKnownGood", "NodeConfigSource"},
    {NULL, "lastState", "ContainerState"},
    {NULL, "lifecycle", "Lifecycle"},
    {NULL, "linux", "LinuxContainerUser"},
    {NULL, "livenessProbe", "Probe"},
    {NULL, "loadBalancer", "LoadBalancerStatus"},
    {NULL, "matchExpressions", "NodeSelectorRequirement"},
    {NULL, "matchFields", "NodeSelectorRequirement"},
    {NULL, "nfs", "NFSVolumeSource"},
    {NULL, "nodeAffinity", "NodeAffinity"},
    {NULL, "nodeInfo", "NodeSystemInfo"},
    {NULL, "nodePublishSecretRef", "LocalObjectReference"},
    {NULL, "nodeSelectorTerms", "NodeSelectorTerm"},
    {NULL, "options", "PodDNSConfigOption"},
    {NULL, "os", "PodOS"},
    {NULL, "persistentVolumeClaim", "PersistentVolumeClaimVolumeSource"},
    {NULL, "photonPersistentDisk", "PhotonPersistentDiskVolumeSource"},
    {NULL, "podAffinity", "PodAffinity"},
    {NULL, "podAffinityTerm", "PodAffinityTerm"},
    {NULL, "podAntiAffinity", "PodAntiAffinity"},
    {NULL, "podIPs", "PodIP"},
    {NULL, "ports", "ContainerPort"},
    {NULL, "portworxVolume", "PortworxVolumeSource"},
    {NULL, "postStart", "LifecycleHandler"},
    {NULL, "preStop", "LifecycleHandler"},
    {NULL, "preference", "NodeSelectorTerm"},
    {NULL, "projected", "ProjectedVolumeSource"},
    {NULL, "quobyte", "QuobyteVolumeSource"},
    {NULL, "rbd", "RBDVolumeSource"},
    {NULL, "readinessGates", "PodReadinessGate"},
    {NULL, "readinessProbe", "Probe"},
    {NULL, "related", "ObjectReference"},
    {NULL, "requestMappings", "ContainerExtendedResourceRequest"},
    {NULL, "resizePolicy", "ContainerResizePolicy"},
    {NULL, "resourceClaimStatuses", "PodResourceClaimStatus"},
    {NULL, "resourceClaims", "PodResourceClaim"},
    {NULL, "resourceFieldRef", "ResourceFieldSelector"},
    {NULL, "resources", "ResourceRequirements"},
    {NULL, "restartPolicyRules", "ContainerRestartRule"},
    {NULL, "running", "ContainerStateRunning"},
    {NULL, "runtimeHandlers", "NodeRuntimeHandler"},
    {NULL, "scaleIO", "ScaleIOVolumeSource"},
    {NULL, "schedulingGates", "PodSchedulingGate"},
    {NULL, "seLinuxOptions", "SELinuxOptions"},
    {NULL, "seccompProfile", "SeccompProfile"},
    {NULL, "secret", "SecretVolumeSource"},
    {NULL, "secretKeyRef", "SecretKeySelector"},
    {NULL, "secretRef", "LocalObjectReference"},
    {NULL, "secrets", "ObjectReference"},
    {NULL, "securityContext", "SecurityContext"},
    {NULL, "sessionAffinityConfig", "SessionAffinityConfig"},
    {NULL, "sleep", "SleepAction"},
    {NULL, "sources", "VolumeProjection"},
    {NULL, "startupProbe", "Probe"},
    {NULL, "state", "ContainerState"},
    {NULL, "storageos", "StorageOSVolumeSource"},
    {NULL, "swap", "NodeSwapStatus"},
    {NULL, "sysctls", "Sysctl"},
    {NULL, "taints", "Taint"},
    {NULL, "targetRef", "ObjectReference"},
    {NULL, "tcpSocket", "TCPSocketAction"},
    {NULL, "terminated", "ContainerStateTerminated"},
    {NULL, "tolerations", "Toleration"},
    {NULL, "topologySpreadConstraints", "TopologySpreadConstraint"},
    {NULL, "user", "ContainerUser"},
    {NULL, "valueFrom", "EnvVarSource"},
    {NULL, "volumeClaimTemplate", "PersistentVolumeClaimTemplate"},
    {NULL, "volumeDevices", "VolumeDevice"},
    {NULL, "volumeMounts", "VolumeMount"},
    {NULL, "volumeStatus", "VolumeStatus"},
    {NULL, "volumes", "Volume"},
    {NULL, "volumesAttached", "AttachedVolume"},
    {NULL, "vsphereVolume", "VsphereVirtualDiskVolumeSource"},
    {NULL, "waiting", "ContainerStateWaiting"},
    {NULL, "windowsOptions", "WindowsSecurityContextOptions"},
};

/* "DeploymentStatus" + "conditions" is a DeploymentCondition, as for every kind. */
static bool is_condition_list(const char *parent, const char *member)
{
    return streq(member, "conditions") && str_ends_with(parent, "Status");
}

char *type_name_of_kind(const struct kind *k, char out[TYPE_NAME_SIZE])
{
    size_t package_len = strcspn(k->group, ".");
    if (*k->group)
        snprintf(out, TYPE_NAME_SIZE, "%.*s.%s.%s", (int)package_len, k->group, k->version, k->kind);
    else
        snprintf(out, TYPE_NAME_SIZE, "core.%s.%s", k->version, k->kind);
    return out;
}

const char *type_name_short(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static const char *listed_type(const char *parent, const char *member)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (streq(types[i].member, member) && (!types[i].in || streq(types[i].in, parent)))
            return types[i].type;
    return NULL;
}

char *type_name_of_member(const char *parent, const char *member, char out[TYPE_NAME_SIZE])
{
    const char *parent_type = type_name_short(parent);
    const char *type = listed_type(parent_type, member);
    char name[TYPE_NAME_SIZE];
    int package_len = (int)(parent_type - parent);
    if (type && strchr(type, '.'))
        snprintf(name, sizeof(name), "%s", type);
    else if (type)
        snprintf(name, sizeof(name), "%.*s%s", package_len, parent, type);
    else if (is_condition_list(parent_type, member))
        snprintf(name, sizeof(name), "%.*sCondition", (int)(strlen(parent) - strlen("Status")), parent);
    else
        snprintf(name, sizeof(name), "%.140s%c%s", parent, member[0] & ~0x20, member + 1);
    return memcpy(out, name, sizeof(name));
}
