import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  attachmentsOf,
  contentAttachments,
  countedKinds,
  namedAttachments,
  readAttachmentId,
} from "../../src/protocol/attachments.ts";
import { mediaReferences } from "../../src/protocol/spoken-text.ts";

const at = { gateway: "home", sessionKey: "agent:main:main", runId: "r" };

describe("content", () => {
  it.each([
    [
      { type: "image", alt: "a.png", mimeType: "image/png", sizeBytes: 4 },
      { kind: "image", name: "a.png", type: "image/png", size: 4 },
    ],
    [
      { type: "input_audio", media_type: "audio/WAV" },
      { kind: "audio", type: "audio/wav" },
    ],
    [
      { type: "document", title: "b.pdf" },
      { kind: "file", name: "b.pdf" },
    ],
    [
      { type: "attachment", attachment: { kind: "document", label: "c.csv", sizeBytes: 0 } },
      { kind: "file", name: "c.csv", size: 0 },
    ],
    [
      { type: "attachment", attachment: { label: "d.mp3" } },
      { kind: "audio", name: "d.mp3" },
    ],
    [
      { type: "attachment", attachment: { mimeType: "video/mp4" } },
      { kind: "video", type: "video/mp4" },
    ],
    [{ type: "attachment", attachment: {} }, { kind: "file" }],
    [
      { type: "attachment_error", attachment: { kind: "image", label: "gone.png", url: "/x" } },
      { kind: "image", name: "gone.png" },
    ],
    [{ type: "canvas", view: {} }, { kind: "other" }],
    [{ type: "image", alt: "  " }, { kind: "image" }],
    [{ type: "image", alt: 7, mimeType: "not a type", sizeBytes: -1 }, { kind: "image" }],
    [
      { type: "image", fileName: "C:\\\\Users\\\\me\\\\e.png" },
      { kind: "image", name: "e.png" },
    ],
    [
      { type: "image", title: "https://h/p/f.png?sig=1#x" },
      { kind: "image", name: "f.png" },
    ],
    [
      { type: "image", artifactId: "a1", url: "/x" },
      { kind: "image", artifactId: "a1" },
    ],
    [
      { type: "image", url: "/x" },
      { kind: "image", isListed: true },
    ],
  ])("is read from %j", (block, expected) => {
    expect(contentAttachments([{ type: "text", text: "Hi" }, block])).toEqual([expected]);
  });

  it.each([
    undefined,
    "MEDIA:./a.png",
    [],
    [null, 7, {}, { type: 7 }],
    [{ type: "text", text: "Hi" }, { type: "thinking" }, { type: "toolCall", name: "image" }],
  ])("has none in %j", (content) => {
    expect(contentAttachments(content)).toBeUndefined();
  });

  it("has at most 100", () => {
    expect(contentAttachments(Array.from({ length: 5_000 }, () => ({ type: "image" })))).toHaveLength(100);
  });

  it("may be anything that JSON can hold", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.jsonValue(), (rest, attachment) => {
        const content = [...rest, { type: "attachment", attachment }, ...rest.map((data) => ({ type: "image", data }))];
        for (const { id } of attachmentsOf(contentAttachments(content) ?? [], at)) {
          if (id !== undefined) expect(readAttachmentId(id)).toMatchObject(at);
        }
      }),
    );
  });
});

describe("MEDIA lines", () => {
  it.each([
    ["MEDIA:./a.png", ["a.png"]],
    ["Words.\n  media:/pictures/a.png\nMore.\nMEDIA: https://example.org/b.pdf?x=1", ["a.png", "b.pdf"]],
    ['MEDIA: "my photo.png"', ["my photo.png"]],
    ["MEDIA:./my holiday photo.png", ["my holiday photo.png"]],
    ["MEDIA: is the plural of medium.", undefined],
    ["```\nMEDIA:./dot.png\n```", undefined],
    ["Words.", undefined],
  ])("of %j name %j", (row, names) => {
    expect(namedAttachments(mediaReferences(row))?.map(({ name }) => name)).toEqual(names);
  });
});

describe("an id", () => {
  it("says where the file is, and tells files of one name apart", () => {
    const told = [{ kind: "image", isListed: true }, { kind: "image", isListed: true }, { kind: "file" }] as const;
    const ids = attachmentsOf(told, { ...at, sessionKey: "global", agentId: "second" }).map(({ id }) => id);
    expect(ids.map(readAttachmentId)).toEqual([
      { ...at, sessionKey: "global", agentId: "second", kind: "image", nth: 0 },
      { ...at, sessionKey: "global", agentId: "second", kind: "image", nth: 1 },
      undefined,
    ]);
  });

  it("holds the longest names that there can be", () => {
    const longest = "\u0001".repeat(1_024);
    const said = { gateway: longest, sessionKey: longest, runId: longest };
    const [attachment] = attachmentsOf([{ kind: "image", artifactId: longest }], said);
    expect(readAttachmentId(attachment?.id)).toEqual({ ...said, artifactId: longest });
  });

  it("is read from anything without a throw", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.jsonValue()), (id) => {
        readAttachmentId(id);
        readAttachmentId(Buffer.from(JSON.stringify(id)).toString("base64url"));
      }),
    );
  });
});

it("counts kinds", () => {
  const kinds = ["image", "file", "image", "audio", "audio", "other"] as const;
  expect(countedKinds(kinds.map((kind) => ({ kind })))).toBe("2 images, 1 file, 2 audio, 1 other");
  expect(countedKinds([])).toBe("");
});
