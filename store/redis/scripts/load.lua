-- Reads everything that one decision on a request looks at.
--
-- KEYS  1 request:R   2 debt:R   3 policy   4 command:C
-- ARGV  1 skew, ms   2 prefix of all keys   3 most siblings
-- Answer  { now, fingerprint or false, answer or false, policy number or false,
--           request body or false, its version, debt body or false, its version,
--           head body or false, its version, { sibling body, version, ... } }
--
-- The head and the siblings are named by fields projected beside the body; all keys share one hash tag.

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])
local seen = redis.call('HMGET', KEYS[4], 'fingerprint', 'answer')
local policy = redis.call('HGET', KEYS[3], 'version')
local request = redis.call('HMGET', KEYS[1], 'body', 'version', 'environment', 'touches')
local debt = redis.call('HMGET', KEYS[2], 'body', 'version')
local head = { false, false }
local siblings = {}
if request[4] and request[4] ~= '' then
  head = redis.call('HMGET', ARGV[2] .. 'head:' .. request[3], 'body', 'version')
  local known = { [KEYS[1]] = true }
  for name in string.gmatch(request[4], '%S+') do
    local ids = redis.call('ZRANGE', ARGV[2] .. 'index:touch:' .. request[3] .. ':' .. name, 0, ARGV[3])
    for _, id in ipairs(ids) do
      local key = ARGV[2] .. 'request:' .. id
      if not known[key] and #siblings < 2 * ARGV[3] then
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
return { now, seen[1], seen[2], policy, request[1], request[2], debt[1], debt[2], head[1], head[2], siblings }
