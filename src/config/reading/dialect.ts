/**
 * Whose rules the server's files are read by. Without a dialect, they are ghostport's: what cannot be understood is
 * refused. `fwknopd`: a file that fwknopd accepts is accepted. What fwknopd passes over in silence, or with a line in
 * its log, is passed over with a warning, unless that would allow more than the file says (docs/FROM-FWKNOP.md).
 */
export type Dialect = 'fwknopd'
