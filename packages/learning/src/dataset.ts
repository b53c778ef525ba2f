// Labelled pictures in flat arrays. A range of a data set shares its memory; nothing here copies
// but `selectExamples`.

import { demand } from './errors.ts'
import { datasetExamplesMax } from './limits.ts'

/** `count` pictures of `images.length / count` grey pixels each, and one label per picture. */
export interface Dataset {
  /** Row by row, picture after picture; 0 is paper, 255 is ink. */
  readonly images: Uint8Array
  /** Class of each picture, from 0. */
  readonly labels: Uint8Array
  readonly count: number
}

/** Joins images and labels, which must agree in number. Shares their memory. */
export function dataset(images: Uint8Array, labels: Uint8Array): Dataset {
  const count = labels.length
  demand(
    count > 0 && count <= datasetExamplesMax,
    'LEARNING_DATASET_INVALID',
    `${count} labels: a data set holds 1 to ${datasetExamplesMax} examples`,
  )
  demand(
    images.length > 0 && images.length % count === 0,
    'LEARNING_DATASET_INVALID',
    `${images.length} bytes of images are not ${count} pictures: check that both files match`,
  )
  return { images, labels, count }
}

/** Pixels of one picture. */
export function pixelsOf(data: Dataset): number {
  return data.images.length / data.count
}

/** The examples from `start` to `end` (excluded), as views of the same memory. */
export function sliceDataset(data: Dataset, start: number, end: number): Dataset {
  const isRange = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end
  demand(
    isRange && end <= data.count,
    'LEARNING_DATASET_INVALID',
    `no examples ${start} to ${end} in a data set of ${data.count}`,
  )
  const pixels = pixelsOf(data)
  return {
    images: data.images.subarray(start * pixels, end * pixels),
    labels: data.labels.subarray(start, end),
    count: end - start,
  }
}

/** A copy of the examples at `indexes`, in that order. */
export function selectExamples(data: Dataset, indexes: Uint32Array): Dataset {
  const pixels = pixelsOf(data)
  const images = new Uint8Array(indexes.length * pixels)
  const labels = new Uint8Array(indexes.length)
  for (let i = 0; i < indexes.length; i += 1) {
    const index = indexes[i]!
    demand(index < data.count, 'LEARNING_DATASET_INVALID', `no example ${index} of ${data.count}`)
    images.set(data.images.subarray(index * pixels, (index + 1) * pixels), i * pixels)
    labels[i] = data.labels[index]!
  }
  return dataset(images, labels)
}

/** How many examples carry each label from 0 to `classes` - 1. */
export function countLabels(labels: Uint8Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0)
  for (const label of labels) if (label < classes) counts[label]! += 1
  return counts
}
