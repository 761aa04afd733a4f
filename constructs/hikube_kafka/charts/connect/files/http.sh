# A request without a program for it, which not every image has.

# Prints what is answered; fails where that is anything but 200.
http_get() { # HOST PORT PATH
  local status line
  exec 3<>"/dev/tcp/$1/$2" || return
  # Version 1.0: the answer ends with the connection, and comes in one piece.
  printf 'GET %s HTTP/1.0\r\nHost: %s:%s\r\nAccept: */*\r\n\r\n' "$3" "$1" "$2" >&3
  read -r _ status _ <&3 || return
  while read -r line <&3 && [[ ${line%$'\r'} ]]; do :; done
  cat <&3
  exec 3>&-
  [[ $status == 200 ]]
}
