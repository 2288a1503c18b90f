// What the matrix has @kubernetes/client-node do; ../README.md says what each word means.
//
// It does exec over WebSocket only: EXEC_OVER changes nothing.

import { deepStrictEqual as check } from 'node:assert';
import { Readable, Writable } from 'node:stream';
import { CoreV1Api, Exec, KubeConfig, PatchStrategy, Watch, setHeaderOptions } from '@kubernetes/client-node';
import { Agent } from 'undici';

const [name, namespace] = ['notes', 'default'];
const config = new KubeConfig();
config.loadFromDefault();
if (process.env.HTTP_VERSION === '1.1') {
    config.createDispatcher = function (cluster, options) {
        return new Agent({ allowH2: false, connect: this.createDispatcherOptions(cluster, options).connect });
    };
}
const core = config.makeApiClient(CoreV1Api);

function setTo(value) {
    const merge = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
    return core.patchNamespacedConfigMap({ name, namespace, body: { data: { a: value } } }, merge);
}

/** Keeps what is written to it. */
class Written extends Writable {
    text = '';

    _write(chunk, _, done) {
        this.text += chunk;
        done();
    }
}

const words = {
    async create() {
        const body = { metadata: { name }, data: { a: '1' } };
        const created = await core.createNamespacedConfigMap({ namespace, body });
        check(created.data, { a: '1' });
    },

    async list() {
        const found = await core.listNamespacedConfigMap({ namespace });
        check(found.items.filter((item) => item.metadata.name === name).map((item) => item.data), [{ a: '1' }]);
    },

    async watch() {
        const before = (await core.listNamespacedConfigMap({ namespace })).metadata.resourceVersion;
        await setTo('2');
        const seen = [];
        const { promise, resolve, reject } = Promise.withResolvers();
        const watching = await new Watch(config).watch(
            `/api/v1/namespaces/${namespace}/configmaps`,
            { resourceVersion: before },
            (type, object) => {
                seen.push([type, object.data.a]);
                seen.length === 1 ? setTo('3').catch(reject) : resolve();
            },
            (error) => reject(error ?? new Error('the watch ended early')),
        );
        await promise;
        watching.abort();
        check(seen, [['MODIFIED', '2'], ['MODIFIED', '3']]);
    },

    async patch() {
        await setTo('4');
        check((await core.readNamespacedConfigMap({ name, namespace })).data, { a: '4' });
    },

    async logs() {
        check((await core.readNamespacedPodLog({ name: 'web', namespace })).includes('ready'), true);
    },

    async exec() {
        const [output, errors] = [new Written(), new Written()];
        const { promise, resolve } = Promise.withResolvers();
        const command = ['sh', '-c', 'head -n 1; echo oops >&2; exit 3'];
        const input = Readable.from(['typed\n']);
        const container = (await core.readNamespacedPod({ name: 'web', namespace })).spec.containers[0].name;
        await new Exec(config).exec(namespace, 'web', container, command, output, errors, input, false, resolve);
        const status = await promise;
        check([output.text, errors.text, status.details.causes[0].message], ['typed\n', 'oops\n', '3']);
    },

    async delete() {
        await core.deleteNamespacedConfigMap({ name, namespace });
        const gone = await core.readNamespacedConfigMap({ name, namespace }).catch((error) => error.code);
        check(gone, 404);
    },
};

await words[process.argv[2]]();
process.exit(0);
