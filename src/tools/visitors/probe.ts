/** Requests that only those send who look for weak places. Their texts are names and signs, not regular expressions. */

/** Nobody links to these: one such request is enough. Its answer does not count. */
const ALWAYS = [
  ...['env', 'git', 'svn', 'hg', 'aws', 'ssh', 'htpasswd', 'htaccess', 'DS_Store', 'vscode', 'docker', 'kube'].map(
    (name) => `/.${name}`,
  ),
  ...['/.npmrc', '/.bash_history', '../', '..\\', '%2e%2e', '%252e', '/etc/passwd', '/etc/shadow'],
  ...['${jndi', '%7bjndi', '<script', '%3cscript', 'union+select', 'union%20select', 'union+all', 'union%20all'],
  ...['/boaform', '/HNAP1', '/GponForm', '/goform/', '/cgi-bin/luci', '/cgi-bin/.', '/cgi-bin/;', '/shell?'],
  ...['eval-stdin', '/vendor/phpunit', '/_ignition/', '/evox/', 'nmaplowercheck', '/nice%20ports', '/wls-wsat/'],
  ...['/geoserver/', '/+CSCO', '/dana-na/', '/remote/fgt_lang', '/remote/login', 'muieblackcat', 'w00tw00t'],
  ...['allow_url_include', 'invokefunction', 'base64_decode', '/winbox.png'],
] as const
/** Some sites have these. Where they are missing, nobody but a scanner asks for them. */
const WHERE_MISSING = [
  ...['wp-login', 'wp-admin', 'wp-content', 'wp-includes', 'wp-config', 'wp-json', 'wordpress', 'xmlrpc.php'],
  ...['phpmyadmin', 'php-my-admin', 'pma', 'myadmin', 'mysql', 'dbadmin', 'adminer', 'phpinfo', 'info.php'],
  ...['administrator', 'admin', 'manager/html', 'solr', 'actuator', 'jenkins', 'console', 'hudson', 'owa', 'ecp'],
  ...['autodiscover', 'server-status', 'server-info', 'cgi-bin', 'login.action', 'config.php', 'config.json'],
  ...['web.config', 'backup', 'dump', 'sdk', 'api/v1/pods', 'api/jsonws', 'druid', 'telescope', 'laravel', 'drupal'],
  ...['joomla', 'typo3', 'user/login', 'portal/redlion', 'level/15', 'setup.cgi', 'currentsetting.htm'],
] as const
const EXTENSIONS = ['sql', 'bak', 'old', 'swp', 'pem', 'key', 'asp', 'aspx', 'jsp', 'cgi', 'action'] as const

const always = new RegExp(ALWAYS.map(literal).join('|'), 'i')
const whereMissing = new RegExp(
  `/(?:${WHERE_MISSING.map(literal).join('|')})(?:[/?._-]|$)|\\.(?:${EXTENSIONS.join('|')})(?:\\.gz|\\.zip)?(?:\\?|$)`,
  'i',
)
/** What a proxy gets. */
const WHOLE_URL = /^https?:/i

/**
 * @param status 0 if it is not known.
 * @param followsLinks a crawler asks for what others link to. Only what nobody links to counts.
 */
export function isProbe(target: string, status: number, followsLinks: boolean): boolean {
  if (target === '') return false
  const isUrl = WHOLE_URL.test(target)
  // Another protocol, or CONNECT: no path, and not the `*` of OPTIONS.
  if (target.charCodeAt(0) !== SLASH && target !== '*' && !isUrl) return true
  if (always.test(target)) return true
  return !followsLinks && (status >= 400 || status === 0) && (isUrl || whereMissing.test(target))
}

const SLASH = 0x2f

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
