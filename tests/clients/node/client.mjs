// @kubernetes/client-node against a cluster: node client.mjs KUBECONFIG NAMESPACE POD. Ends with 0 when all is as it should be.
// POD runs yanbin/python-web in NAMESPACE.
import assert from 'node:assert';
import { PassThrough } from 'node:stream';
import * as k8s from '@kubernetes/client-node';

const [, , kubeconfig, namespace, pod] = process.argv;
const config = new k8s.KubeConfig();
config.loadFromFile(kubeconfig);
const core = config.makeApiClient(k8s.CoreV1Api);
const leases = config.makeApiClient(k8s.CoordinationV1Api);

function refused(code) {
    return (error) => error.code === code || assert.fail(`${error.code} instead of ${code}: ${error.message}`);
}

async function objects() {
    const body = { metadata: { name: 'js' }, data: { a: '1' } };
    const made = await core.createNamespacedConfigMap({ namespace, body });
    assert.ok(made.metadata.uid);
    const patched = await core.patchNamespacedConfigMap(
        { name: 'js', namespace, body: { data: { b: '2' } } },
        k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch));
    assert.deepStrictEqual(patched.data, { a: '1', b: '2' });
    await assert.rejects(core.replaceNamespacedConfigMap({ name: 'js', namespace, body: made }), refused(409));
    await assert.rejects(core.createNamespacedConfigMap({ namespace, body }), refused(409));
    const all = await core.listNamespacedConfigMap({ namespace });
    assert.ok(all.items.some((m) => m.metadata.name === 'js'));
    await core.deleteNamespacedConfigMap({ name: 'js', namespace });
    await assert.rejects(core.readNamespacedConfigMap({ name: 'js', namespace }), refused(404));
}

// One watch, until the server ends it: the names of what was added, and the revision to go on from.
function watchOnce(resourceVersion, seconds) {
    return new Promise((resolve, reject) => {
        const seen = [];
        new k8s.Watch(config).watch(
            `/api/v1/namespaces/${namespace}/configmaps`,
            { resourceVersion, timeoutSeconds: seconds, allowWatchBookmarks: true },
            (type, object) => {
                if (type === 'ADDED') seen.push(object.metadata.name);
                resourceVersion = object.metadata.resourceVersion;
            },
            (error) => (error && error.name !== 'AbortError' ? reject(error) : resolve({ seen, resourceVersion })),
        ).catch(reject);
    });
}

async function watches() {
    const before = (await core.listNamespacedConfigMap({ namespace })).metadata.resourceVersion;
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'first' } } });
    const one = await watchOnce(before, 1);
    assert.deepStrictEqual(one.seen, ['first']);
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'between' } } });
    const two = await watchOnce(one.resourceVersion, 1);
    assert.deepStrictEqual(two.seen, ['between']);
}

// An informer keeps a copy by itself.
async function informs() {
    const list = () => core.listNamespacedConfigMap({ namespace });
    const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list);
    const told = (event, name) => new Promise((resolve) => informer.on(event, (o) => o.metadata.name === name && resolve()));
    const added = told('add', 'third'), gone = told('delete', 'third');
    await informer.start();
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'third' } } });
    await added;
    assert.ok(informer.get('third', namespace));
    await core.deleteNamespacedConfigMap({ name: 'third', namespace });
    await gone;
    await informer.stop();
}

async function executes() {
    const out = new PassThrough(), err = new PassThrough(), stdin = new PassThrough();
    let said = '';
    out.on('data', (piece) => (said += piece));
    const status = await new Promise((resolve, reject) => {
        new k8s.Exec(config)
            .exec(namespace, pod, 'c', ['sh', '-c', 'read x; echo got $x; exit 3'], out, err, stdin, false, resolve)
            .catch(reject);
        stdin.write('this\n');
    });
    assert.strictEqual(status.status, 'Failure');
    assert.strictEqual(status.details.causes.find((c) => c.reason === 'ExitCode').message, '3');
    assert.strictEqual(said, 'got this\n');
}

async function forwards() {
    const out = new PassThrough(), stdin = new PassThrough();
    let said = '';
    const served = new Promise((resolve) => out.on('data', (piece) => (said += piece).includes('Served by') && resolve()));
    const socket = await new k8s.PortForward(config).portForward(namespace, pod, [80], out, null, stdin);
    stdin.write('GET / HTTP/1.0\r\n\r\n');
    await served;
    assert.ok(said.includes(`Served by ${pod}/`), said);
    (typeof socket === 'function' ? socket() : socket).close();
}

// Who may write the Lease leads; who comes with an old one has lost.
async function candidate(name, lease) {
    const spec = { holderIdentity: name, leaseDurationSeconds: 1, acquireTime: new k8s.V1MicroTime(), renewTime: new k8s.V1MicroTime() };
    try {
        return await leases.replaceNamespacedLease({ name: 'js', namespace, body: { ...lease, spec } });
    } catch (error) {
        return refused(409)(error) && null;
    }
}

async function elects() {
    const free = await leases.createNamespacedLease({ namespace, body: { metadata: { name: 'js' }, spec: {} } });
    const tried = await Promise.all(['a', 'b', 'c'].map((name) => candidate(name, free)));
    const leaders = tried.filter((lease) => lease);
    assert.strictEqual(leaders.length, 1);
    const renewed = await candidate(leaders[0].spec.holderIdentity, leaders[0]);
    assert.ok(renewed && Number(renewed.metadata.resourceVersion) > Number(leaders[0].metadata.resourceVersion));
    assert.strictEqual(await candidate('late', leaders[0]), null);
    const seen = await leases.readNamespacedLease({ name: 'js', namespace });
    assert.strictEqual(seen.spec.holderIdentity, renewed.spec.holderIdentity);
    assert.ok(seen.spec.renewTime);
}

for (const step of [objects, watches, informs, executes, forwards, elects]) {
    await step();
    console.log(`ok ${step.name}`);
}
process.exit(0); // sockets that the library leaves open
