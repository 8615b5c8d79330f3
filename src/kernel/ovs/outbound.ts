import { type Family, familyOf } from '../../net/address.ts'
import { type Mac, parseMac } from '../../net/mac.ts'
import { type Prefix, ofFamily, parsePrefix } from '../../net/prefix.ts'
import type { Nic } from '../../model/model.ts'
