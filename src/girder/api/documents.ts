import { z } from 'zod';

/** The fields of Girder's documents that are used here; all others are ignored. */

export const fileDocument = z
  .object({ _id: z.string(), name: z.string(), size: z.number().nullish(), linkUrl: z.string().nullish() })
  .transform(({ _id: id, name, size, linkUrl }) => {
    const isLink = typeof linkUrl === 'string';
    // the size of a link file is not reliable
    return { id, name, size: isLink ? null : (size ?? null) };
  });
/** `size` in bytes; null for a link file, whose content is at another URL. */
export type FileDocument = z.infer<typeof fileDocument>;

/** An item or a folder. */
export const namedDocument = z
  .object({ _id: z.string(), name: z.string() })
  .transform(({ _id: id, name }) => ({ id, name }));
export type NamedDocument = z.infer<typeof namedDocument>;

/** The response to reading or updating a Girder job. */
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
  /** Present only when reading a job. */
  log: z.array(z.string()).nullish(),
});
export type JobDocument = z.infer<typeof jobDocument>;

/** An upload in progress, or the file it created. */
export const uploadDocument = z.object({ _id: z.string() }).transform(({ _id: id }) => ({ id }));
