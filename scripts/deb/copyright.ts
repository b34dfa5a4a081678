/** The file `copyright` of a Debian package, in the form DEP-5. The licences of others are whole. */

const HEAD = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ghostport
Comment: The package has a Node.js of its own. Nobody but the maintainers of ghostport mends its faults: see
 PACKAGES.md in the folder docs.

Files: *
Copyright: the authors of ghostport
License: Apache-2.0
 On Debian systems, the whole text of the Apache License, version 2.0, is in /usr/share/common-licenses/Apache-2.0.
`

/** What the build puts into the pages: their licences are beside them, whole. */
const PAGES = `Files: usr/lib/ghostport/dist/web/*
Copyright: the authors of ghostport, and those that licences.txt in the same folder names
License: Apache-2.0 and Expat
 Preact, its signals, and the noble libraries are under the licence of MIT (Expat): the texts are in licences.txt beside
 each page.
`
const OPENPGP = `Files: usr/lib/ghostport/dist/web/page/openpgp-*.js
Copyright: the authors of OpenPGP.js
License: LGPL-3+
 On Debian systems, the whole text of the GNU Lesser General Public License is in /usr/share/common-licenses/LGPL-3. The
 file is as its authors made it; the text is in licences.txt beside it too.
`
/** What is within two programs of the server. */
const PROTOBUF = `Files: usr/lib/ghostport/dist/daemon/cluster.js usr/lib/ghostport/dist/daemon/errand.js
Copyright: the authors of ghostport, Buf Technologies, Inc., and Google Inc.
License: Apache-2.0 and BSD-3-clause
 Each file has a part of @bufbuild/protobuf (Apache-2.0), with a part of Google’s (BSD): the texts are at the end of the
 file. On Debian systems, the whole text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`

/**
 * @param hasPage whether the package has the page that a gateway serves: the one with a server.
 * @param node the text of LICENSE of Node.js: it covers V8, OpenSSL, ICU and the other parts too.
 * @param koffi the text of its LICENSE.txt.
 * @param qr the text of its LICENSE-MIT, where the package has it.
 */
export function copyright(hasPage: boolean, node: string, koffi: string, qr?: string): string {
  return [
    HEAD,
    PAGES,
    ...(hasPage ? [OPENPGP, PROTOBUF] : []),
    stanza(
      'usr/lib/ghostport/node',
      'Node.js contributors, and the authors of its parts: see the licence',
      'Node.js',
      node,
    ),
    stanza('usr/lib/ghostport/node_modules/*', holders(koffi) ?? 'the authors of koffi', 'Expat', koffi),
    // Of two files stanzas that match, the last counts. The licence has another name, since its text has other holders.
    ...(qr === undefined
      ? []
      : [stanza('usr/lib/ghostport/node_modules/qr/*', holders(qr) ?? 'the authors of qr', 'Expat-qr', qr)]),
  ].join('\n')
}

function holders(licence: string): string | undefined {
  return /^Copyright (?:\(c\) )?(.*)$/im.exec(licence)?.[1]
}

function stanza(files: string, holders: string, license: string, text: string): string {
  return `Files: ${files}\nCopyright: ${holders}\nLicense: ${license}\n${indented(text)}\n`
}

/** An empty line is a dot: deb822(5). */
function indented(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n')
}
