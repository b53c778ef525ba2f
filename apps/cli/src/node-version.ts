// Whether this Node can run Myelin: ML-KEM, ML-DSA, zstd, SQLite and Temporal come with version 26. No imports.

const nodeMajorMin = 26

/** One line that names the fault and the mend, or undefined where the version suffices. */
export function nodeVersionFault(version: string): string | undefined {
  const major = Number.parseInt(version, 10)
  return major >= nodeMajorMin
    ? undefined
    : `Node.js ${version} is too old; install Node.js ${nodeMajorMin} or newer (nodejs.org)`
}
