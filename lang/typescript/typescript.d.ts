// Declares what Node adds to JavaScript's own library, for programs that come without @types/node. The types are loose,
// so that no working program is refused because a type is missing.
declare var console: any, process: any, global: any, module: any, exports: any, performance: any, crypto: any;
declare var require: any, __filename: string, __dirname: string;

declare function setTimeout(callback: (...args: any[]) => void, ms?: number, ...args: any[]): any;
declare function setInterval(callback: (...args: any[]) => void, ms?: number, ...args: any[]): any;
declare function setImmediate(callback: (...args: any[]) => void, ...args: any[]): any;
declare function clearTimeout(timer?: any): void;
declare function clearInterval(timer?: any): void;
declare function clearImmediate(timer?: any): void;
declare function queueMicrotask(callback: () => void): void;
declare function structuredClone<T>(value: T, options?: any): T;
declare function fetch(input: any, init?: any): Promise<any>;

declare var Buffer: any, URL: any, URLSearchParams: any, TextEncoder: any, TextDecoder: any, Blob: any, Event: any;
declare var EventTarget: any, AbortController: any, AbortSignal: any, MessageChannel: any, WebAssembly: any;
type Buffer = any;
type URL = any;
type URLSearchParams = any;
type TextEncoder = any;
type TextDecoder = any;
type Blob = any;
type Event = any;
type EventTarget = any;
type AbortController = any;
type AbortSignal = any;
type MessageChannel = any;
declare namespace NodeJS {
        type Timeout = any;
        type Immediate = any;
        type ErrnoException = any;
        type ReadableStream = any;
        type WritableStream = any;
        type Process = any;
}

declare module "node:*";
declare module "assert";
declare module "assert/strict";
declare module "async_hooks";
declare module "buffer";
declare module "child_process";
declare module "cluster";
declare module "crypto";
declare module "fs";
declare module "fs/promises";
declare module "http";
declare module "https";
declare module "module";
declare module "net";
declare module "os";
declare module "path";
declare module "perf_hooks";
declare module "process";
declare module "querystring";
declare module "readline";
declare module "readline/promises";
declare module "stream/promises";
declare module "string_decoder";
declare module "timers";
declare module "timers/promises";
declare module "tty";
declare module "url";
declare module "util";
declare module "v8";
declare module "vm";
declare module "worker_threads";
declare module "zlib";

// Modules with classes that programs extend or use as types.
declare module "events" {
        export class EventEmitter {
                constructor(options?: any);
                [name: string]: any;
                static [name: string]: any;
        }
        export default EventEmitter;
        export const once: any, on: any, getEventListeners: any, errorMonitor: any, captureRejectionSymbol: any;
}
declare module "node:events" {
        export * from "events";
        export { default } from "events";
}
declare module "stream" {
        export class Stream {
                constructor(options?: any);
                [name: string]: any;
                static [name: string]: any;
        }
        export class Readable extends Stream { static [name: string]: any }
        export class Writable extends Stream { static [name: string]: any }
        export class Duplex extends Stream { static [name: string]: any }
        export class Transform extends Stream { static [name: string]: any }
        export class PassThrough extends Stream { static [name: string]: any }
        export default Stream;
        export const pipeline: any, finished: any, promises: any;
}
declare module "node:stream" {
        export * from "stream";
        export { default } from "stream";
}
