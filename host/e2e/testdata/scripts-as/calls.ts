// Code generated from the lists of package abi by go generate. DO NOT EDIT.
import * as raw from "./abi";

/** call makes the host call of that number, counted from 0 in the order of the SPEC, with arguments as they stand
 * in WebAssembly. */
export function call(n: u32, a: StaticArray<i64>): i64 {
  switch (n) {
    case 0: return raw.rawRequestHead(<usize>a[0], <u32>a[1]);
    case 1: return raw.rawRequestBody(a[0], <usize>a[1], <u32>a[2]);
    case 2: return raw.rawResponseHead(<usize>a[0], <u32>a[1]);
    case 3: return raw.rawResponseWrite(<usize>a[0], <u32>a[1]);
    case 4: return raw.rawRouteSet(<usize>a[0], <u32>a[1]);
    case 5: return raw.rawOutcomeSet(<u32>a[0]);
    case 6: return raw.rawKvGet(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
    case 7: return raw.rawKvGetSnapshot(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
    case 8: return raw.rawKvSet(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3], a[4]);
    case 9: return raw.rawKvSetVersionstamped(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3], a[4], a[5], a[6]);
    case 10: return raw.rawKvDelete(<usize>a[0], <u32>a[1]);
    case 11: return raw.rawKvAdd(<usize>a[0], <u32>a[1], a[2]);
    case 12: return raw.rawKvList(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3], <u32>a[4], <u32>a[5], <usize>a[6], <u32>a[7]);
    case 13: return raw.rawConfigGet(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
    case 14: return raw.rawLogWrite(<u32>a[0], <usize>a[1], <u32>a[2], <usize>a[3], <u32>a[4]);
    case 15: return raw.rawClockNow();
    case 16: return raw.rawRandomFill(<usize>a[0], <u32>a[1]);
    case 17: return raw.rawHttpOpen(<usize>a[0], <u32>a[1]);
    case 18: return raw.rawHttpWrite(<u32>a[0], <usize>a[1], <u32>a[2]);
    case 19: return raw.rawHttpSend(<usize>a[0], <u32>a[1]);
    case 20: return raw.rawHttpHead(<u32>a[0], <usize>a[1], <u32>a[2]);
    case 21: return raw.rawHttpRead(<u32>a[0], <usize>a[1], <u32>a[2]);
    case 22: return raw.rawHttpClose(<u32>a[0]);
    case 23: return raw.rawSqlExec(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3], <usize>a[4], <u32>a[5], <usize>a[6], <u32>a[7]);
    case 24: return raw.rawSqlQuery(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3], <usize>a[4], <u32>a[5]);
    case 25: return raw.rawSqlColumns(<u32>a[0], <usize>a[1], <u32>a[2]);
    case 26: return raw.rawSqlRows(<u32>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
    case 27: return raw.rawSqlClose(<u32>a[0]);
    case 28: return raw.rawSqlError(<usize>a[0], <u32>a[1]);
    case 29: return raw.rawQueueSend(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3], <usize>a[4], <u32>a[5], a[6], <usize>a[7], <u32>a[8]);
    case 30: return raw.rawWebhookSend(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3], <usize>a[4], <u32>a[5], <usize>a[6], <u32>a[7]);
    case 31: return raw.rawSocketSend(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3], <usize>a[4], <u32>a[5], <u32>a[6]);
    case 32: return raw.rawSocketClose(<usize>a[0], <u32>a[1], <u32>a[2], <usize>a[3], <u32>a[4]);
    case 33: return raw.rawSocketFollow(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
    case 34: return raw.rawSocketUnfollow(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
    case 35: return raw.rawSocketAttach(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
    case 36: return raw.rawPublish(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3], <usize>a[4], <u32>a[5], <u32>a[6]);
    case 37: return raw.rawTopicCount(<usize>a[0], <u32>a[1]);
    case 38: return raw.rawPasswordHash(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
    case 39: return raw.rawPasswordVerify(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
    case 40: return raw.rawBlobCreate();
    case 41: return raw.rawBlobWrite(<u32>a[0], <usize>a[1], <u32>a[2]);
    case 42: return raw.rawBlobFetch(<u32>a[0], <u32>a[1]);
    case 43: return raw.rawBlobDrop(<u32>a[0]);
    case 44: return raw.rawBlobPut(<u32>a[0], <usize>a[1], <u32>a[2], <usize>a[3], <u32>a[4], <usize>a[5], <u32>a[6]);
    case 45: return raw.rawBlobStat(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
    case 46: return raw.rawBlobRead(<usize>a[0], <u32>a[1], a[2], <usize>a[3], <u32>a[4]);
    case 47: return raw.rawBlobList(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3], <u32>a[4], <u32>a[5], <usize>a[6], <u32>a[7]);
    case 48: return raw.rawBlobDelete(<usize>a[0], <u32>a[1]);
    case 49: return raw.rawBlobAnswer(<usize>a[0], <u32>a[1], <usize>a[2], <u32>a[3]);
  }
  unreachable();
  return 0;
}
