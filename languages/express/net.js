// As much of `node:net` as Express uses.

const BYTE = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${BYTE}(\\.${BYTE}){3}$`);

export function isIPv4(text) {
  return IPV4.test(text);
}

export function isIPv6(text) {
  return text.includes(":") && URL.canParse(`http://[${text}]/`);
}

export function isIP(text) {
  if (isIPv4(text)) {
    return 4;
  }
  return isIPv6(text) ? 6 : 0;
}

export default { isIP, isIPv4, isIPv6 };
