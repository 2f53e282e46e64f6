import { z } from 'zod';

/** The parts of Girder's documents that are used here; everything else in them is ignored. */

export const fileDocument = z
  .object({ _id: z.string(), name: z.string(), size: z.number().nullish(), linkUrl: z.string().nullish() })
  .transform(({ _id: id, name, size, linkUrl }) => {
    const isLink = typeof linkUrl === 'string';
    // what a link says about its size is anyone's word
    return { id, name, size: isLink ? null : (size ?? null) };
  });
/** `size` in bytes; null for a file that is only a link to somewhere else. */
export type FileDocument = z.infer<typeof fileDocument>;

/** An item or a folder. */
export const namedDocument = z
  .object({ _id: z.string(), name: z.string() })
  .transform(({ _id: id, name }) => ({ id, name }));
export type NamedDocument = z.infer<typeof namedDocument>;

/** The answer to any update of a Girder job, and to reading it. */
export const jobDocument = z.object({
  status: z.number(),
  handler: z.string().default(''),
  title: z.string().nullish(),
  progress: z
    .object({
      total: z.number().nullish().catch(null),
      current: z.number().nullish().catch(null),
      message: z.string().nullish().catch(null),
    })
    .nullish()
    .catch(null),
  /** Only in the answer to reading one. */
  log: z.array(z.string()).nullish(),
});
export type JobDocument = z.infer<typeof jobDocument>;

/** An upload that goes on, or the file that came of it. */
export const uploadDocument = z.object({ _id: z.string() }).transform(({ _id: id }) => ({ id }));
