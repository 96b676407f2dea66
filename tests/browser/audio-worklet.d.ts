// The audio thread's own globals, which TypeScript's DOM library leaves out (Web Audio API 1.1, section 1.32).
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
// The options are those of the node that is made for it; each processor names what it reads of them.
declare function registerProcessor(name: string, processor: new (options: any) => AudioWorkletProcessor): void;
