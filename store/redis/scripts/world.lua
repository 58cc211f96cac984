-- What one decision on a request looks at; a script that begins with "--+ world" has this in front.
--
-- world(now, request, debt, policy, command, prefix of all keys, most siblings)
-- Answer  { now, fingerprint or false, answer or false, policy number or false,
--           request body or false, its version, debt body or false, its version,
--           head body or false, its version, { sibling body, version, ... } }
--
-- Of an extension the only sibling is what it would extend, and of that the extension.
-- The head and the siblings are named by fields projected beside the body; all keys share one hash tag.

local function world(now, request_key, debt_key, policy_key, command_key, prefix, most)
  local seen = redis.call('HMGET', command_key, 'fingerprint', 'answer')
  local policy = redis.call('HGET', policy_key, 'version')
  local request = redis.call('HMGET', request_key, 'body', 'version', 'environment', 'touches', 'kin')
  local debt = redis.call('HMGET', debt_key, 'body', 'version')
  local head = { false, false }
  local siblings = {}
  if request[4] and request[4] ~= '' then
    head = redis.call('HMGET', prefix .. 'head:' .. request[3], 'body', 'version')
    local known = { [request_key] = true }
    for name in string.gmatch(request[4], '%S+') do
      local ids = redis.call('ZRANGE', prefix .. 'index:touch:' .. request[3] .. ':' .. name, 0, most)
      for _, id in ipairs(ids) do
        local key = prefix .. 'request:' .. id
        if not known[key] and #siblings < 2 * most then
          known[key] = true
          local sibling = redis.call('HMGET', key, 'body', 'version')
          if sibling[1] then
            siblings[#siblings + 1] = sibling[1]
            siblings[#siblings + 1] = sibling[2]
          end
        end
      end
    end
  end
  if request[5] and request[5] ~= '' then
    local kin = redis.call('HMGET', prefix .. 'request:' .. request[5], 'body', 'version')
    if kin[1] then siblings = kin end
  end
  return { now, seen[1], seen[2], policy, request[1], request[2], debt[1], debt[2], head[1], head[2], siblings }
end
