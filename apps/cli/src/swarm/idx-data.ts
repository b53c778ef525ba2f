// MNIST from a folder: the four IDX files under their usual names, gzipped or not.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Result } from '@myelin/base'
import {
  type Dataset,
  dataset,
  idxBytesMax,
  parseIdxImages,
  parseIdxLabels,
} from '@myelin/learning'
import { CliError } from '../errors.ts'

export type IdxPart = 'train' | 't10k'

/** Reads one half of the data. Throws `CLI_INPUT` with the file and the mend. */
export function readIdx(folder: string, part: IdxPart): Dataset {
  const images = read(folder, `${part}-images-idx3-ubyte`, parseIdxImages)
  const labels = read(folder, `${part}-labels-idx1-ubyte`, parseIdxLabels)
  try {
    return dataset(images, labels)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CliError(
      'CLI_INPUT',
      `the ${part} images and labels in ${folder} do not fit together: ${reason}`,
      { cause },
    )
  }
}

function read(
  folder: string,
  name: string,
  parse: (file: Uint8Array) => Result<Uint8Array>,
): Uint8Array {
  const path = [join(folder, name), join(folder, `${name}.gz`)].find((candidate) =>
    existsSync(candidate),
  )
  if (path === undefined)
    throw new CliError(
      'CLI_INPUT',
      `${folder} holds no ${name} and no ${name}.gz; name a folder of MNIST IDX files`,
    )
  if (statSync(path).size > idxBytesMax)
    throw new CliError('CLI_INPUT', `${path} is too large for an IDX file of 28 x 28 digits`)
  const parsed = parse(readFileSync(path))
  if (parsed.ok) return parsed.value
  throw new CliError('CLI_INPUT', `${path} cannot be read (${parsed.fault}); fetch the file again`)
}
