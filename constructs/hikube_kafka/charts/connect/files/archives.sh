# Installs plugins from archives: NAME URL CHECKSUM, as often as there are any. Nothing but what has its checksum is unpacked.
set -euo pipefail
source /release/http.sh

fail() { # PLUGIN WHAT
  echo "plugin $1: $2" >&2
  exit 1
}

fetch() { # URL FILE
  local address host port
  if command -v wget >/dev/null; then
    wget -q -O "$2" "$1"
  elif command -v curl >/dev/null; then
    curl -fsSL -o "$2" "$1"
  elif [[ $1 == http://* ]]; then
    address=${1#http://}
    host=${address%%/*} port=80
    if [[ $host == *:* ]]; then port=${host##*:} host=${host%:*}; fi
    http_get "$host" "$port" "/${address#*/}" >"$2"
  else
    echo "the image has neither wget nor curl, which this URL needs" >&2
    return 1
  fi
}

while (($#)); do
  name=$1 url=$2 checksum=$3
  shift 3
  folder=/target/$name file=/target/.$name
  rm -rf "$folder"
  fetch "$url" "$file" || fail "$name" "cannot be fetched from $url"
  found=$("${checksum%%:*}sum" <"$file")
  if [[ ${found%% *} != "${checksum#*:}" ]]; then
    fail "$name" "$url has the checksum ${checksum%%:*}:${found%% *}, and $checksum is declared"
  fi
  mkdir "$folder"
  bare=${url%%[?#]*}
  case $bare in
  *.tar.gz | *.tgz) tar -xzf "$file" -C "$folder" ;;
  *.zip) unzip -q "$file" -d "$folder" || fail "$name" "cannot be unpacked: does the image have unzip?" ;;
  *.jar) cp "$file" "$folder/${bare##*/}" ;;
  *) fail "$name" "$url is neither a .tar.gz, a .zip nor a .jar" ;;
  esac
  rm -f "$file"
  echo "plugin $name: installed from $url"
done
